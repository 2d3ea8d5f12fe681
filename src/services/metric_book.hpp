// SPDX-License-Identifier: Apache-2.0
// MetricBook: the counts and histograms of gRFC A66, by method, target and status.
#pragma once

#include <nearcall/status.hpp>

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// How many values lie below each of the bounds.
template <std::size_t count>
struct Histogram {
  std::array<std::uint64_t, count + 1> buckets{};  // the last one: above all bounds
  double sum = 0;

  void add(const std::array<double, count>& bounds, double value) noexcept {
    std::size_t at = 0;
    while (at < count && value > bounds[at])
      ++at;
    ++buckets[at];
    sum += value;
  }
  bool is_empty() const noexcept { return sum == 0 && buckets == decltype(buckets){}; }
};

/// The bounds of A66, in seconds and in bytes.
inline constexpr std::array<double, 41> latency_bounds = {
    0,     0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004,
    0.005, 0.006,   0.008,   0.01,   0.013,  0.016,  0.02,   0.025, 0.03,  0.04,  0.05,
    0.065, 0.08,    0.1,     0.13,   0.16,   0.2,    0.25,   0.3,   0.4,   0.5,   0.65,
    0.8,   1,       2,       5,      10,     20,     50,     100};
inline constexpr std::array<double, 14> size_bounds = {
    0,       1024,    2048,     4096,     16384,     65536,      262144,
    1048576, 4194304, 16777216, 67108864, 268435456, 1073741824, 4294967296};

/// What is counted of calls that are alike. A server fills `durations`, and the sizes, of calls; a
/// client those of attempts, and `call_durations`.
struct MetricSeries {
  std::uint64_t started = 0;
  Histogram<latency_bounds.size()> durations;
  Histogram<latency_bounds.size()> call_durations;
  Histogram<size_bounds.size()> sent;
  Histogram<size_bounds.size()> received;
};

/// The counts and histograms of one program. How much it keeps does not grow with what peers, or
/// callers of many methods, do: beyond `max_series` all counts together, as "other".
///
/// Thread safety: any thread.
class MetricBook {
 public:
  enum class Side : std::uint8_t { client, server };
  /// What calls have in common that are counted together.
  struct Labels {
    Side side;
    std::string_view method;
    std::string_view target;
    /// Nothing: of what has no status, how many were begun.
    std::optional<StatusCode> status;

    auto operator<=>(const Labels&) const = default;
  };
  static constexpr std::string_view other = "other";
  /// Of a method or a target, in bytes: what is longer is "other".
  static constexpr std::size_t max_label = 256;

  explicit MetricBook(std::size_t max_series) noexcept
      : max_series_(max_series < 1 ? 1 : max_series) {}
  MetricBook(const MetricBook&) = delete;
  MetricBook& operator=(const MetricBook&) = delete;

  /// Calls `change` with the series of that.
  template <class Change>
  void change(const Labels& labels, const Change& change) {
    const std::lock_guard lock(mutex_);
    change(find(labels));
  }
  /// As it is in Prometheus' text format 0.0.4.
  std::string text() const;
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return series_.size();
  }

 private:
  /// The strings that its labels name.
  struct Entry {
    std::string method;
    std::string target;
    MetricSeries series;
  };
  using All = std::map<Labels, std::unique_ptr<Entry>>;

  std::vector<std::pair<Labels, MetricSeries>> copy() const;
  MetricSeries& find(const Labels& labels);
  MetricSeries& add(const Labels& labels);

  const std::size_t max_series_;
  mutable std::mutex mutex_;
  All series_;
};

}  // namespace nearcall::inline v0::detail
