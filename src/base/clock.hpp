// SPDX-License-Identifier: Apache-2.0
// Time: one monotonic clock. Engines take a TimePoint as an argument and never ask for one.
#pragma once

#include <chrono>

namespace nearcall::inline v0::detail {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;
using Duration = SteadyClock::duration;

/// A deadline that never comes.
inline constexpr TimePoint no_deadline = TimePoint::max();

/// `now + timeout`, or no_deadline where that would overflow.
constexpr TimePoint deadline_after(TimePoint now, Duration timeout) noexcept {
  return timeout >= no_deadline - now ? no_deadline : now + timeout;
}

/// Where the time comes from, handed to what decides by it; by default the system's clock.
///
/// A value. Thread safety: that of its source.
class Clock {
 public:
  using Read = TimePoint (*)(const void* source) noexcept;

  constexpr Clock() noexcept = default;
  constexpr Clock(Read read, const void* source) noexcept : read_(read), source_(source) {}

  TimePoint now() const noexcept { return read_(source_); }

 private:
  static TimePoint read_system(const void*) noexcept { return SteadyClock::now(); }

  Read read_ = &read_system;
  const void* source_ = nullptr;
};

}  // namespace nearcall::inline v0::detail
