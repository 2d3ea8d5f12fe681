// SPDX-License-Identifier: Apache-2.0
// ManualLoop: a base of fixtures: an event loop on the test's own thread, whose time the test
// moves.
#pragma once

#include "base/clock.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/testing/manual_clock.hpp>

namespace nearcall::test {

/// What parts below a loop take. `clock` outlives it.
inline detail::Clock clock_of(const testing::ManualClock& clock) {
  return {[](const void* source) noexcept {
            return static_cast<const testing::ManualClock*>(source)->now();
          },
          &clock};
}

/// A loop for which time stands still until the test moves it.
class ManualLoop {
 protected:
  void settle() { clock_.settle(); }
  void advance(detail::Duration duration) {
    clock_.advance(duration);
    clock_.settle();
  }

  EventLoop loop_{SpinPolicy::off()};
  testing::ManualClock clock_{loop_};
};

}  // namespace nearcall::test
