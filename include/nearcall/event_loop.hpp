// SPDX-License-Identifier: Apache-2.0
// EventLoop: runs coroutines and waits for descriptors and timers, alone or inside another loop.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/result.hpp>
#include <nearcall/spin_policy.hpp>
#include <nearcall/unique_function.hpp>

#include <chrono>
#include <memory>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

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
/// connections, and tasks that it does not own. A forked child makes loops of its own: one that its
/// parent used waits for nothing there.
class EventLoop {
 public:
  explicit EventLoop(SpinPolicy spin = SpinPolicy::adaptive());
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  /// Destroys the tasks that were spawned and have not finished, where they wait; of one that is on
  /// another thread it awaits the return. In a forked child, whose parent used the loop, nothing.
  /// REQUIRES: it does not run.
  ~EventLoop();

  /// This thread's loop: the one whose run() or poll() it is inside of, else the one that is bound
  /// to it; null if there is neither. Calls that are awaited start on it.
  [[nodiscard]] static EventLoop* current() noexcept;
  /// The loop whose run() or poll() this thread is inside of; null outside. There nothing may
  /// block: a blocking call is FAILED_PRECONDITION, and sync_wait() and run() stop the program.
  [[nodiscard]] static EventLoop* running() noexcept;

  /// Makes a loop the current one of this thread while it does not run either, as long as the
  /// Binding lives: awaited calls and spawn() then start outside of poll(), and sync_wait() drives
  /// this loop. REQUIRES: the thread is the one that runs the loop.
  class Binding {
   public:
    explicit Binding(EventLoop& loop) noexcept;
    Binding(const Binding&) = delete;
    Binding& operator=(const Binding&) = delete;
    ~Binding();

   private:
    EventLoop* loop_;
    EventLoop* outer_;
  };

  /// Runs until stop(). REQUIRES: this thread is not inside of run() or poll() of any loop, and no
  /// other thread is inside of those of this one.
  void run();
  /// Ends run() after the turn that it is in, or the next run() at once.
  void stop() noexcept;

  /// Makes the descriptors now, so that nothing can go wrong with them later. RESOURCE_EXHAUSTED
  /// if they cannot be had; it may be called again then.
  Result<void> open();
  /// Readable when poll() has something to do, timers included. Owned by the loop. -1 if it cannot
  /// be had; open() says why.
  [[nodiscard]] int fd();
  /// Does what is due now and returns. Inside of itself (a coroutine that opens a modal dialog,
  /// whose loop calls poll() again) it does nothing, and fd() is not readable from then until the
  /// outer poll() returns. REQUIRES: no other thread is inside of run() or poll().
  void poll();

  /// Calls `work` on the loop, in order. What was not called when the loop goes is destroyed.
  /// REQUIRES: it is not empty.
  void post(UniqueFunction<void()> work);
  /// Whether the caller is on this loop's thread: inside its run() or poll(), or, while the thread
  /// runs no loop, where it is bound.
  [[nodiscard]] bool is_in_this_thread() const noexcept;

 private:
  friend detail::Access;

  std::unique_ptr<detail::LoopCore> core_;
};

namespace detail {

/// Where a loop has the time from; by default the system's clock.
struct TimeSource {
  std::chrono::steady_clock::time_point (*read)(const void* argument) noexcept = nullptr;
  const void* argument = nullptr;
};

/// For tests (nearcall::testing). A loop with a time of its own does not spin. REQUIRES: it does
/// not run.
void set_time_source(EventLoop& loop, TimeSource source) noexcept;

}  // namespace detail

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
