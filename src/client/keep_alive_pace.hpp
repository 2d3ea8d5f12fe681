// SPDX-License-Identifier: Apache-2.0
// KeepAlivePace: how often a channel's connections ask whether the server is there.
#pragma once

#include "base/clock.hpp"
#include "connection/keep_alive.hpp"

#include <nearcall/channel.hpp>

#include <atomic>

namespace nearcall::inline v0::detail {

/// How often a channel's new connections ask whether the server is there: half as often as the one
/// that was told that this is too often (gRFC A8).
///
/// Thread safety: any thread.
class KeepAlivePace {
 public:
  explicit KeepAlivePace(const ChannelOptions& options) noexcept
      : timeout_(options.keepalive_timeout()),
        without_calls_(options.keepalive_without_calls()),
        time_(options.keepalive_time()) {}

  KeepAlive::Options options() const noexcept {
    return {time_.load(std::memory_order_relaxed), timeout_, without_calls_};
  }
  /// A connection that asked after each `time` was told that this is too often. However many of
  /// them are told it at once, it is doubled once; false: it was.
  bool slow_down(Duration time) noexcept {
    const Duration doubled = time > Duration::max() / 2 ? Duration::max() : 2 * time;
    Duration known = time_.load(std::memory_order_relaxed);
    while (known < doubled) {
      if (time_.compare_exchange_weak(known, doubled)) return true;
    }
    return false;
  }

 private:
  const Duration timeout_;
  const bool without_calls_;
  std::atomic<Duration> time_;
};

}  // namespace nearcall::inline v0::detail
