// SPDX-License-Identifier: Apache-2.0
// ManualClock: a clock that stands still until the test moves it.
#pragma once

#include "base/clock.hpp"

namespace nearcall::test {

/// Outlives what reads it. Thread safety: none.
class ManualClock {
 public:
  ManualClock() = default;
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;

  operator detail::Clock() const noexcept { return {&read, this}; }

  detail::TimePoint time = detail::SteadyClock::now();

 private:
  static detail::TimePoint read(const void* clock) noexcept {
    return static_cast<const ManualClock*>(clock)->time;
  }
};

}  // namespace nearcall::test
