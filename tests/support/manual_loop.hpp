// SPDX-License-Identifier: Apache-2.0
// ManualLoop: an event loop on the test's own thread, whose time the test moves.
#pragma once

#include "async/loop_core.hpp"
#include "base/clock.hpp"

#include <nearcall/event_loop.hpp>

#include <poll.h>

#include <chrono>

namespace nearcall::test {

/// A time ahead of any machine: the kernel must not think that a timer of a ManualLoop is due, or
/// settle() finds its loop ready for ever.
inline constexpr detail::TimePoint far_ahead{std::chrono::hours(24) * 365 * 100};

/// A base of fixtures: a loop for which time stands still until the test moves it. One at a time.
class ManualLoop {
 protected:
  explicit ManualLoop(detail::TimePoint start) {
    time_ = start;
    detail::Access::core(loop_).set_clocks(
        {[]() noexcept { return time_; }, []() noexcept { return time_; }});
  }

  /// Turns the loop until nothing more is due now.
  void settle() {
    pollfd look{loop_.fd(), POLLIN, 0};
    do {
      loop_.poll();
    } while (::poll(&look, 1, 0) == 1);
  }
  void advance(detail::Duration duration) {
    time_ += duration;
    settle();
  }

  static inline detail::TimePoint time_;
  EventLoop loop_{SpinPolicy::off()};
};

}  // namespace nearcall::test
