// SPDX-License-Identifier: Apache-2.0
// KeepAlive: whether a peer that says nothing is still there (gRFC A8).
#pragma once

#include "base/clock.hpp"

#include <chrono>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// When a connection on which nothing comes is asked for a sign of life, and when it is lost:
///
///     quiet ──(`time` without a byte)──► asked ──(`timeout` without a byte)──► lost
///       ▲                                  │
///       └─────────────(a byte)─────────────┘
///
/// Without calls it asks nothing, unless it is told to; a call that begins after a longer silence
/// makes it ask at once. It is asked itself only when the time comes, and so costs nothing between.
///
/// Thread safety: none. No I/O, no clock.
class KeepAlive {
 public:
  struct Options {
    Duration time = Duration::max();  // off
    Duration timeout = std::chrono::seconds(20);
    bool without_calls = false;
  };
  enum class Action : std::uint8_t { wait, ping, close };

  /// Off.
  KeepAlive() noexcept = default;
  KeepAlive(const Options& options, TimePoint now) noexcept
      : options_(options), look_at_(deadline_after(now, options.time)) {}

  /// Duration::max(): it is off.
  Duration time() const noexcept { return options_.time; }
  /// When resume() is due; no_deadline: not before a call begins.
  TimePoint next_look(bool has_calls) const noexcept {
    return has_calls || !is_dormant_ ? look_at_ : no_deadline;
  }
  /// What is to be done now. `heard_at`: when the last byte came.
  Action resume(TimePoint now, TimePoint heard_at, bool has_calls) noexcept;

 private:
  bool is_asked() const noexcept { return asked_at_ != no_deadline; }

  Options options_;
  TimePoint look_at_ = no_deadline;
  TimePoint asked_at_ = no_deadline;
  bool is_dormant_ = false;
};

}  // namespace nearcall::inline v0::detail
