// SPDX-License-Identifier: Apache-2.0
// EventLoop: runs coroutines and waits for descriptors and timers, alone or inside another loop.
#pragma once

#include <nearcall/result.hpp>
#include <nearcall/spin_policy.hpp>

#include <functional>
#include <memory>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall {

namespace detail {
class LoopCore;
}  // namespace detail

/// Runs tasks, timers and connections on the thread that calls run() or poll().
///
/// Alone: `loop.run()`. Inside another loop (Asio, GLib, Qt, libuv, poll(2)): watch fd() for
/// reading and call poll() whenever it is readable, and once after the first tasks were spawned.
///
/// Makes no system call before it has something to wait for; then it takes three descriptors, or
/// four inside another loop. Where the system refuses them, open() says so. Without them run() goes
/// on with what needs none (tasks, timers, posted work) and looks every 10 ms whether there is more
/// to do, or a descriptor to be had.
///
/// Thread safety: post(), stop() and spawn() from any thread; the rest from the one thread that
/// runs the loop (it may change between runs). The loop outlives all that waits on it: servers,
/// connections, and tasks that it does not own.
class EventLoop {
 public:
  explicit EventLoop(SpinPolicy spin = SpinPolicy::adaptive());
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// Destroys the tasks that were spawned and have not finished, where they wait. REQUIRES: it does
  /// not run, and none of them is on another thread.
  ~EventLoop();

  /// The loop whose run() or poll() this thread is inside of; null outside.
  [[nodiscard]] static EventLoop* current() noexcept;

  /// Runs until stop(). REQUIRES: it does not run already.
  void run();
  /// Ends run() after the turn that it is in, or the next run() at once.
  void stop() noexcept;

  /// Makes the descriptors now, so that nothing can go wrong with them later. RESOURCE_EXHAUSTED
  /// if they cannot be had; it may be called again then.
  Result<void> open();
  /// Readable when poll() has something to do, timers included. Owned by the loop. -1 if it cannot
  /// be had; open() says why.
  [[nodiscard]] int fd();
  /// Does what is due now and returns. REQUIRES: it does not run already.
  void poll();

  /// Calls `work` on the loop, in order. What was not called when the loop goes is destroyed.
  void post(std::function<void()> work);
  /// Whether the caller is inside run() or poll() of this loop.
  [[nodiscard]] bool is_in_this_thread() const noexcept { return current() == this; }

  /// For the library's own layers.
  detail::LoopCore& core() noexcept { return *core_; }

 private:
  std::unique_ptr<detail::LoopCore> core_;
};

}  // namespace nearcall

#pragma GCC visibility pop
