// SPDX-License-Identifier: Apache-2.0
// PrometheusText: writes Prometheus' text exposition format 0.0.4.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {

/// Writes metrics one after the other, each with its samples behind it. What a label says is
/// escaped; what is no UTF-8 in it becomes U+FFFD.
///
/// Thread safety: none.
class PrometheusText {
 public:
  enum class Kind : std::uint8_t { counter, histogram };
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  /// The samples of this metric follow. Of a counter the name ends in "_total".
  void begin(std::string_view name, Kind kind, std::string_view help);
  /// A label without a value is left out.
  void add_counter(Labels labels, std::uint64_t value);
  /// `buckets` are those of the bounds, and the one above all; not sums.
  void add_histogram(Labels labels,
                     std::span<const double> bounds,
                     std::span<const std::uint64_t> buckets,
                     double sum);

  const std::string& text() const noexcept { return text_; }

 private:
  void add_sample(std::string_view suffix, const std::string& labels, std::string_view value);

  std::string name_;
  std::string text_;
};

}  // namespace nearcall::inline v0::detail
