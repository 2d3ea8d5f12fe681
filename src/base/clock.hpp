// SPDX-License-Identifier: Apache-2.0
// Time: one monotonic clock. Engines take a TimePoint as an argument and never ask for one.
#pragma once

#include <chrono>

namespace nearcall {

using SteadyClock = std::chrono::steady_clock;
using TimePoint = SteadyClock::time_point;
using Duration = SteadyClock::duration;

/// A deadline that never comes.
inline constexpr TimePoint no_deadline = TimePoint::max();

/// `now + timeout`, or no_deadline where that would overflow.
constexpr TimePoint deadline_after(TimePoint now, Duration timeout) noexcept {
  return timeout >= no_deadline - now ? no_deadline : now + timeout;
}

}  // namespace nearcall
