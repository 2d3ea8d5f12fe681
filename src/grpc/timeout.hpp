// SPDX-License-Identifier: Apache-2.0
// grpc-timeout: at most 8 digits and a unit, to a Duration and back.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace nearcall::inline v0::detail::grpc {

/// The time that a `grpc-timeout` value gives: 1 to 8 digits and one of H M S m u n. Nothing when
/// it is anything else. More than a Duration can hold gives Duration::max(), which deadline_after()
/// turns into no_deadline.
std::optional<Duration> parse_timeout(std::string_view text) noexcept;

/// A formatted timeout, held in place: "50m".
class TimeoutText {
 public:
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  friend TimeoutText format_timeout(Duration timeout) noexcept;

  std::array<char, 9> text_{};
  std::uint8_t size_ = 0;
};

/// The shortest value that says exactly `timeout`: 1 s is "1S", 50 ms is "50m". What needs more
/// than 8 digits is rounded up to a coarser unit; zero and less, which gRPC cannot say, becomes
/// "1n".
TimeoutText format_timeout(Duration timeout) noexcept;

}  // namespace nearcall::inline v0::detail::grpc
