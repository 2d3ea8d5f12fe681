// SPDX-License-Identifier: Apache-2.0
// ConnectionAge: how long a connection may live, and be without a call (gRFC A9).
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <optional>

namespace nearcall::inline v0::detail {

/// When a server asks a client to come anew, and when it does not wait any longer:
///
///     young ──(`max_age`, a tenth more or less)──► old ──(`grace`)──► over
///       └──(`max_idle` without a call)──► idle ──(`max_age` …)──► old
///
/// Thread safety: none. No I/O, no clock.
class ConnectionAge {
 public:
  struct Options {
    Duration max_age = Duration::max();
    Duration grace = Duration::max();
    Duration max_idle = Duration::max();

    bool are_any() const noexcept {
      return max_age != Duration::max() || max_idle != Duration::max();
    }
  };
  /// drain_old, drain_idle: it takes no further calls; close: those that are left end.
  enum class Action : std::uint8_t { wait, drain_old, drain_idle, close };

  /// `chance`: from 0 to 1, another one for each connection.
  ConnectionAge(const Options& options, double chance, TimePoint now) noexcept;

  /// When resume() is due.
  TimePoint next_look() const noexcept { return look_at_; }
  /// What is to be done now. `idle_since`: nothing if there are calls.
  Action resume(TimePoint now, std::optional<TimePoint> idle_since) noexcept;

 private:
  enum class State : std::uint8_t { young, idle, old };

  Options options_;
  State state_ = State::young;
  TimePoint old_at_;
  TimePoint look_at_;
};

}  // namespace nearcall::inline v0::detail
