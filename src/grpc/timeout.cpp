// SPDX-License-Identifier: Apache-2.0
// grpc-timeout: digits, units, and what does not fit.
#include "grpc/timeout.hpp"

#include <charconv>
#include <cstddef>
#include <type_traits>

namespace nearcall::inline v0::detail::grpc {
namespace {

static_assert(std::is_same_v<Duration, std::chrono::nanoseconds>);

constexpr std::size_t max_digits = 8;
constexpr std::int64_t max_value = 99'999'999;

/// Nanoseconds in one of `unit`, or 0 when it is no unit.
constexpr std::int64_t unit_length(char unit) {
  switch (unit) {
    case 'n':
      return 1;
    case 'u':
      return 1'000;
    case 'm':
      return 1'000'000;
    case 'S':
      return 1'000'000'000;
    case 'M':
      return 60'000'000'000;
    case 'H':
      return 3'600'000'000'000;
    default:
      return 0;
  }
}

/// From fine to coarse, and how many of each make one of the next.
constexpr std::string_view units = "numSMH";
constexpr std::array<std::int64_t, 5> steps = {1000, 1000, 1000, 60, 60};

}  // namespace

std::optional<Duration> parse_timeout(std::string_view text) noexcept {
  if (text.size() < 2 || text.size() > max_digits + 1) return std::nullopt;
  std::int64_t value = 0;
  for (const char digit : text.substr(0, text.size() - 1)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + (digit - '0');
  }
  const std::int64_t unit = unit_length(text.back());
  if (unit == 0) return std::nullopt;
  std::int64_t nanoseconds = 0;
  if (__builtin_mul_overflow(value, unit, &nanoseconds)) return Duration::max();
  return Duration(nanoseconds);
}

TimeoutText format_timeout(Duration timeout) noexcept {
  std::int64_t value = timeout > Duration::zero() ? timeout.count() : 1;
  std::size_t unit = 0;
  while (unit < steps.size() && value % steps[unit] == 0) {
    value /= steps[unit++];
  }
  // Ends at hours at the latest: Duration::max() is 2,562,048 of them.
  while (value > max_value) {
    const std::int64_t step = steps[unit++];
    value = value / step + (value % step != 0 ? 1 : 0);
  }
  TimeoutText text;
  char* const end = std::to_chars(text.text_.data(), text.text_.data() + max_digits, value).ptr;
  *end = units[unit];
  text.size_ = static_cast<std::uint8_t>(end + 1 - text.text_.data());
  return text;
}

}  // namespace nearcall::inline v0::detail::grpc
