// SPDX-License-Identifier: Apache-2.0
// CancelEvent: how a Canceller's word gets from a signal handler to those who wait.
#pragma once

#include <atomic>

namespace nearcall::inline v0::detail {

class CancelBoard;

/// How a Canceller's word gets from a signal handler, where next to nothing is allowed, to the
/// stops that it wants requested: whoever waits in this library polls one descriptor more, and
/// requests them. The process has one descriptor for all Cancellers, from the first on.
///
/// Thread safety: any thread.
class CancelEvent {
 public:
  /// Readable when there is something to deliver; -1 where nobody made a Canceller yet. Whoever
  /// waits in this library for anything polls it.
  static int descriptor() noexcept {
    return newest_.load(std::memory_order_acquire) == nullptr ? -1 : descriptor_here();
  }
  /// Whether there is something to deliver: for those who do not sleep.
  static bool is_pending() noexcept { return is_pending_.load(std::memory_order_relaxed); }
  /// Has the stops requested that are wanted. REQUIRES: the caller holds no lock that a callback of
  /// them takes.
  static void deliver() noexcept;
  /// What a signal handler said before, for whoever begins to heed a token.
  static void catch_up() noexcept {
    if (is_pending()) deliver();
  }

 private:
  friend class CancelBoard;

  static int descriptor_here() noexcept;

  static constinit inline std::atomic<CancelBoard*> newest_{nullptr};
  static constinit inline std::atomic<bool> is_pending_{false};
};

}  // namespace nearcall::inline v0::detail
