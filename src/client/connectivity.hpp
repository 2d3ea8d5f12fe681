// SPDX-License-Identifier: Apache-2.0
// Connectivity: whether a server can be reached, and when to try again.
#pragma once

#include "base/clock.hpp"

#include <nearcall/connectivity_state.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// Whether a server can be reached, as the attempts to connect to it tell, and when whoever waits
/// for it tries again: the pause grows from failure to failure (gRPC's connection-backoff.md).
///
///     idle ──attempt──► connecting ──connected──► ready ──lost, the last one──► idle
///                        ▲      └──failed──► transient_failure
///                        └─────────attempt─────┘
///
/// Attempts and connections may be several at a time: one connection that lives makes it ready.
/// A call tries whenever it comes, whatever this says
/// (docs/decisions/012-when-a-client-connects.md); what fails before its time changes nothing.
///
/// No I/O, and no clock: what decides comes in as an argument. Thread safety: none.
class Connectivity {
 public:
  using State = ConnectivityState;
  enum class Event : std::uint8_t {
    attempt,    // to connect has begun
    connected,  // it ended with a connection
    failed,     // it ended without
    cancelled,  // nobody wanted it any more
    lost,       // a connection was closed, by whomever
    appeared,   // where the server listens, something has changed
  };
  struct Backoff {
    Duration first = std::chrono::milliseconds(10);
    double factor = 1.6;
    double jitter = 0.2;
    Duration longest = std::chrono::seconds(1);
  };

  Connectivity() noexcept = default;
  explicit Connectivity(const Backoff& backoff) noexcept : backoff_(backoff) {}

  /// `chance`: anything from 0 to 1, such that not all clients of a server try at once.
  void resume(Event event, TimePoint now, double chance) noexcept;

  State state() const noexcept;
  /// Not before that: counted from the beginning of the last attempt that failed.
  TimePoint next_attempt() const noexcept { return next_attempt_; }

 private:
  void fail(TimePoint now, double chance) noexcept;

  Backoff backoff_;
  std::size_t attempts_ = 0;
  std::size_t connections_ = 0;
  TimePoint attempt_at_{};
  TimePoint next_attempt_{};
  /// Before jitter; zero where there is none.
  Duration pause_{};
  /// The last attempt that ended did so badly.
  bool has_failed_ = false;
};

}  // namespace nearcall::inline v0::detail
