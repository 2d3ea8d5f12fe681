// SPDX-License-Identifier: Apache-2.0
// BacklogPause: how a connector waits for room where too many wait already.
#pragma once

#include "base/clock.hpp"

#include <nearcall/status.hpp>

#include <algorithm>
#include <chrono>
#include <string>

namespace nearcall::inline v0::detail {

/// The pauses between attempts of one connect(). A value.
class BacklogPause {
 public:
  /// How long to sleep before the next attempt; zero if the deadline has passed.
  Duration next(TimePoint now, TimePoint deadline) noexcept {
    if (now >= deadline) return Duration::zero();
    const Duration pause = std::min(pause_, deadline - now);
    pause_ = std::min(2 * pause_, longest);
    return pause;
  }

 private:
  static constexpr Duration first = std::chrono::milliseconds(1);
  static constexpr Duration longest = std::chrono::milliseconds(50);

  Duration pause_ = first;
};

/// What a connector says when `next()` is zero.
inline Status backlog_full(const std::string& target) {
  return Status(StatusCode::unavailable,
                target + ": connect: the server's backlog was full until the deadline")
      .with_reason(StatusReason::limit);
}

/// What a connector says when its pause was cancelled.
inline Status connect_cancelled(const std::string& target) {
  return {StatusCode::cancelled, target + ": connect: cancelled"};
}

}  // namespace nearcall::inline v0::detail
