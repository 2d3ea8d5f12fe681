// SPDX-License-Identifier: Apache-2.0
// WakeEvent: lets one thread sleep on a descriptor, and others pay for a wake-up only if it does.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/event_loop.hpp>

#include <atomic>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// An eventfd with a flag in front: signal() is a system call only if the other side announced that
/// it is about to sleep.
///
/// The sleeper: announce(), look at the shared state once more, sleep on fd(), consume(), look at
/// the state. The waker: change the shared state, then signal(). State changes and looks are
/// sequentially consistent atomics, so at least one side sees the other.
///
/// Where the sleeper announced itself on an EventLoop, and a waker runs on the same one, the loop
/// is told, and there is no system call either.
///
/// Life of state_:
///     awake --announce--> announced --signal--> signalled --consume--> awake
/// announced → awake when the sleeper finds something without sleeping; signalled → awake when its
/// loop was told.
/// Thread safety: one sleeper, any number of wakers.
class WakeEvent {
 public:
  /// `fd` is a non-blocking eventfd.
  explicit WakeEvent(UniqueFd fd) noexcept;

  int fd() const noexcept { return fd_.get(); }
  /// The sleeper will look once more, and then sleep.
  void announce() noexcept;
  /// Takes the readiness of the descriptor away, if there is any. The sleeper calls it before it
  /// looks at the state for the last time.
  void consume() noexcept;
  /// Wakes the sleeper if there is one.
  void signal() noexcept;

 private:
  enum class State : std::uint8_t { awake, announced, signalled };

  /// Tells the loop of the sleeper, if this thread runs it; whether it did.
  bool tell_loop() noexcept;

  const UniqueFd fd_;
  std::atomic<State> state_{State::awake};
  /// The loop on which the sleeper announced itself; null elsewhere. Compared, and not followed: it
  /// may have gone.
  std::atomic<const EventLoop*> loop_{nullptr};
};

}  // namespace nearcall::inline v0::detail
