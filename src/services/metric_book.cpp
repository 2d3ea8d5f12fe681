// SPDX-License-Identifier: Apache-2.0
// Which series a call counts in, and all of them as text.
#include "services/metric_book.hpp"

#include "services/prometheus_text.hpp"

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Side = MetricBook::Side;
using Kind = PrometheusText::Kind;

/// One metric: whose, and what of a series it shows.
struct Metric {
  Side side;
  Kind kind;
  std::string_view name;
  std::string_view help;
  void (*add)(PrometheusText& to, PrometheusText::Labels labels, const MetricSeries& series);
};

template <auto member, auto& bounds>
void add_histogram(PrometheusText& to, PrometheusText::Labels labels, const MetricSeries& series) {
  const auto& histogram = series.*member;
  if (!histogram.is_empty()) to.add_histogram(labels, bounds, histogram.buckets, histogram.sum);
}

void add_started(PrometheusText& to, PrometheusText::Labels labels, const MetricSeries& series) {
  if (series.started != 0) to.add_counter(labels, series.started);
}

constexpr auto add_durations = &add_histogram<&MetricSeries::durations, latency_bounds>;
constexpr auto add_call_durations = &add_histogram<&MetricSeries::call_durations, latency_bounds>;
constexpr auto add_sent = &add_histogram<&MetricSeries::sent, size_bounds>;
constexpr auto add_received = &add_histogram<&MetricSeries::received, size_bounds>;

/// A66, "Metrics Schema".
constexpr Metric metrics[] = {
    {Side::client, Kind::counter, "grpc_client_attempt_started_total",
     "Attempts of calls begun (grpc.client.attempt.started).", &add_started},
    {Side::client, Kind::histogram, "grpc_client_attempt_duration_seconds",
     "Time of an attempt to its end (grpc.client.attempt.duration).", add_durations},
    {Side::client, Kind::histogram, "grpc_client_attempt_sent_total_compressed_message_size_bytes",
     "Bytes of an attempt's requests, as sent "
     "(grpc.client.attempt.sent_total_compressed_message_size).",
     add_sent},
    {Side::client, Kind::histogram, "grpc_client_attempt_rcvd_total_compressed_message_size_bytes",
     "Bytes of an attempt's responses, as received "
     "(grpc.client.attempt.rcvd_total_compressed_message_size).",
     add_received},
    {Side::client, Kind::histogram, "grpc_client_call_duration_seconds",
     "Time of a call to its end, with all attempts (grpc.client.call.duration).",
     add_call_durations},
    {Side::server, Kind::counter, "grpc_server_call_started_total",
     "Calls begun (grpc.server.call.started).", &add_started},
    {Side::server, Kind::histogram, "grpc_server_call_sent_total_compressed_message_size_bytes",
     "Bytes of a call's responses, as sent "
     "(grpc.server.call.sent_total_compressed_message_size).",
     add_sent},
    {Side::server, Kind::histogram, "grpc_server_call_rcvd_total_compressed_message_size_bytes",
     "Bytes of a call's requests, as received "
     "(grpc.server.call.rcvd_total_compressed_message_size).",
     add_received},
    {Side::server, Kind::histogram, "grpc_server_call_duration_seconds",
     "Time of a call to its end (grpc.server.call.duration).", add_durations},
};

std::string_view bounded(std::string_view label) noexcept {
  return label.size() > MetricBook::max_label ? MetricBook::other : label;
}

}  // namespace

/// Where there is no more room, what is new counts as "other", of which there are as many as there
/// are statuses.
MetricSeries& MetricBook::find(const Labels& labels) {
  const Labels wanted{labels.side, bounded(labels.method), bounded(labels.target), labels.status};
  if (const auto found = series_.find(wanted); found != series_.end()) return found->second->series;
  if (series_.size() < max_series_) return add(wanted);
  const std::string_view target = wanted.target.empty() ? wanted.target : other;
  const Labels rest{wanted.side, other, target, wanted.status};
  const auto found = series_.find(rest);
  return found != series_.end() ? found->second->series : add(rest);
}

MetricSeries& MetricBook::add(const Labels& labels) {
  auto made = std::make_unique<Entry>(
      Entry{std::string(labels.method), std::string(labels.target), MetricSeries()});
  const Labels key{labels.side, made->method, made->target, labels.status};
  return series_.emplace(key, std::move(made)).first->second->series;
}

/// Nobody waits while it is written: a series, and what its labels name, is never removed.
std::vector<std::pair<MetricBook::Labels, MetricSeries>> MetricBook::copy() const {
  std::vector<std::pair<Labels, MetricSeries>> all;
  const std::lock_guard lock(mutex_);
  all.reserve(series_.size());
  for (const auto& [labels, entry] : series_)
    all.emplace_back(labels, entry->series);
  return all;
}

std::string MetricBook::text() const {
  PrometheusText text;
  const auto all = copy();
  for (const Metric& metric : metrics) {
    text.begin(metric.name, metric.kind, metric.help);
    for (const auto& [labels, series] : all) {
      if (labels.side != metric.side) continue;
      const std::string_view status =
          labels.status ? nearcall::to_string(*labels.status) : std::string_view();
      metric.add(
          text,
          {{"grpc_method", labels.method}, {"grpc_target", labels.target}, {"grpc_status", status}},
          series);
    }
  }
  return text.text();
}

}  // namespace nearcall::inline v0::detail
