// SPDX-License-Identifier: Apache-2.0
// What an observer hears, into the MetricBook; and its text, over a service.
#include "services/metric_book.hpp"

#include <nearcall/client_stub.hpp>
#include <nearcall/metrics.hpp>
#include <nearcall/service.hpp>

#include <nearcall_contract/nearcall/metrics/v1/metrics.pb.h>

#include <chrono>
#include <utility>

namespace nearcall::inline v0 {
namespace {

using detail::MetricBook;
using detail::MetricSeries;
using BookSide = MetricBook::Side;
using Request = nearcall_contract::nearcall::metrics::v1::GetRequest;
using Response = nearcall_contract::nearcall::metrics::v1::GetResponse;

constexpr Method methods[] = {{"/nearcall.metrics.v1.Metrics/Get", MethodKind::unary}};

double seconds(Observer::Time begun, Observer::Time ended) noexcept {
  return std::chrono::duration<double>(ended - begun).count();
}

/// A66 has it without the first '/'.
MetricBook::Labels labels_of(const Observer::Call& call, std::optional<StatusCode> status) {
  std::string_view method = call.method.path;
  if (method.starts_with('/')) method.remove_prefix(1);
  const bool is_client = call.origin.side == Observer::Side::client;
  return {is_client ? BookSide::client : BookSide::server, method, call.origin.target, status};
}

/// A number that has no name is UNKNOWN, as in statuscodes.md.
StatusCode known(StatusCode code) noexcept {
  const bool is_known = code >= StatusCode::ok && code <= StatusCode::unauthenticated;
  return is_known ? code : StatusCode::unknown;
}

void add_sizes(MetricSeries& series,
               const Observer::Messages& sent,
               const Observer::Messages& received) noexcept {
  series.sent.add(detail::size_bounds, static_cast<double>(sent.compressed_size));
  series.received.add(detail::size_bounds, static_cast<double>(received.compressed_size));
}

class MetricsService final : public Service {
 public:
  explicit MetricsService(std::shared_ptr<const Metrics> metrics)
      : Service("nearcall.metrics.v1.Metrics",
                {detail::unary_handler<MetricsService, Request, Response, &MetricsService::get>(
                    methods[0])}),
        metrics_(std::move(metrics)) {}

 private:
  Task<Result<Response>> get(ServerContext& /*call*/, Request /*request*/) {
    Response response;
    response.set_text(metrics_->text());
    co_return response;
  }

  const std::shared_ptr<const Metrics> metrics_;
};

}  // namespace

Metrics::Metrics(std::size_t max_series) : book_(std::make_unique<MetricBook>(max_series)) {
}

Metrics::~Metrics() = default;

std::string Metrics::text() const {
  return book_->text();
}

void Metrics::on_call_begun(const Call& call) noexcept {
  if (call.origin.side == Observer::Side::client) return;
  book_->change(labels_of(call, std::nullopt), [](MetricSeries& series) { ++series.started; });
}

void Metrics::on_call_refused(const Origin& /*server*/, const Status& how) noexcept {
  MetricBook::Labels labels{BookSide::server, MetricBook::other, {}, std::nullopt};
  book_->change(labels, [](MetricSeries& series) { ++series.started; });
  labels.status = known(how.code());
  book_->change(labels, [](MetricSeries& series) {
    series.durations.add(detail::latency_bounds, 0);
    add_sizes(series, {}, {});
  });
}

void Metrics::on_attempt_begun(const Call& call, const Attempt& /*attempt*/) noexcept {
  book_->change(labels_of(call, std::nullopt), [](MetricSeries& series) { ++series.started; });
}

void Metrics::on_attempt_ended(const Call& call,
                               const Attempt& attempt,
                               const Status& how,
                               AttemptEnd /*then*/) noexcept {
  book_->change(labels_of(call, known(how.code())), [&](MetricSeries& series) {
    series.durations.add(detail::latency_bounds, seconds(attempt.begun, attempt.ended));
    add_sizes(series, attempt.sent, attempt.received);
  });
}

void Metrics::on_call_ended(const Call& call, const Status& how) noexcept {
  const double duration = seconds(call.begun, call.ended);
  book_->change(labels_of(call, known(how.code())), [&](MetricSeries& series) {
    if (call.origin.side == Observer::Side::client)
      return series.call_durations.add(detail::latency_bounds, duration);
    series.durations.add(detail::latency_bounds, duration);
    add_sizes(series, call.sent, call.received);
  });
}

void add_metrics(Server& server, std::shared_ptr<const Metrics> metrics) {
  server.add_service(std::make_shared<MetricsService>(std::move(metrics)));
}

Result<std::string> get_metrics(const Channel& channel, const CallOptions& options) {
  const ClientStub stub(channel, methods);
  Result<Response> response = stub.unary<Response>(0, Request(), options);
  if (!response) return Failure{std::move(response).error()};
  return std::move(*response->mutable_text());
}

}  // namespace nearcall::inline v0
