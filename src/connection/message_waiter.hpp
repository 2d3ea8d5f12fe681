// SPDX-License-Identifier: Apache-2.0
// MessageWaiter: whoever waits for a message, or for room for one.
#pragma once

#include "async/busy_meter.hpp"
#include "async/loop_core.hpp"
#include "async/runnable.hpp"
#include "async/turn_queue.hpp"

#include <coroutine>

namespace nearcall::inline v0::detail {

/// Whoever waits for a message, or for room for one: a coroutine, or a thread. The message is read
/// or written for it where it waits; wake() says that it was, or never will be.
class MessageWaiter {
 public:
  /// It may go on. Called inside a step of the session: it does so later.
  virtual void wake() noexcept = 0;

 protected:
  ~MessageWaiter() = default;
};

/// A coroutine that goes on when its loop comes to it.
class WaitingCoroutine : public MessageWaiter, public Runnable {
 public:
  WaitingCoroutine() noexcept = default;
  WaitingCoroutine(const WaitingCoroutine&) = delete;
  WaitingCoroutine& operator=(const WaitingCoroutine&) = delete;

  /// REQUIRES: `loop` is this thread's.
  void set(LoopCore& loop, std::coroutine_handle<> coroutine) noexcept {
    loop_ = &loop;
    coroutine_ = Suspended(coroutine);
  }
  void wake() noexcept override {
    if (!is_linked()) loop_->schedule(*this);
  }
  void run() noexcept override { coroutine_.resume(); }
  /// It runs in one of the loop's next turns, as those in `queue` do, if nothing wakes it before.
  void wait_for_turn(TurnQueue& queue) noexcept {
    if (!is_linked()) queue.push(*this);
  }

 protected:
  ~WaitingCoroutine() = default;

 private:
  LoopCore* loop_ = nullptr;
  Suspended coroutine_;
};

}  // namespace nearcall::inline v0::detail
