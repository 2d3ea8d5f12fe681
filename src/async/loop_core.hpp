// SPDX-License-Identifier: Apache-2.0
// LoopCore: what the library's layers see of an EventLoop: descriptors, timers, ready coroutines.
#pragma once

#include "async/busy_meter.hpp"
#include "async/hot_sources.hpp"
#include "async/inbox.hpp"
#include "async/intrusive_list.hpp"
#include "async/poller.hpp"
#include "async/runnable.hpp"
#include "async/spinner.hpp"
#include "async/timer_queue.hpp"
#include "async/turn_budget.hpp"
#include "async/turn_queue.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

#include <nearcall/access.hpp>
#include <nearcall/event_loop.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace nearcall::inline v0::detail {

struct ThreadLoops;

/// Is called at the end of a turn in which it was asked for; a connection flushes its output there.
class TurnEndHook : public ListHook {
 public:
  virtual void on_turn_end() = 0;

 protected:
  ~TurnEndHook() = default;
};

/// Destroyed with the loop, if it has not gone before.
class LoopOwned : public ListHook {
 public:
  virtual ~LoopOwned() = default;
  /// Leaves the loop's list.
  virtual void destroy() noexcept { delete this; }
};

/// A few milliseconds coarse, but four times cheaper than the exact time.
TimePoint coarse_now() noexcept;

/// The exact time as the loop of this thread has it; the system's where there is no loop.
TimePoint current_time() noexcept;

/// The parts of one EventLoop and the order in which they run. A turn is: posted work, due timers,
/// events of descriptors, ready coroutines, turn-end hooks; each bounded, so that none starves the
/// others. What is scheduled on the way runs in the same turn if its part is still to come, and
/// before the loop sleeps in any case.
///
/// Handlers of events, timers and hooks are the library's. They schedule users' coroutines that go
/// on, so that these run on a flat stack; only the handler of a new call starts right there.
///
/// Thread safety: post(), cancel_posted() and stop() from any thread; the rest from the thread that
/// runs the loop, or, while none does, from the one that will.
class LoopCore {
 public:
  LoopCore(EventLoop& owner, SpinPolicy spin);
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;
  ~LoopCore();

  EventLoop& owner() const noexcept { return *owner_; }
  /// Whether this is a forked child of the process that used the loop.
  bool is_inherited() const noexcept { return poller_.is_inherited(); }
  /// No thread has this loop any more. Not from another thread.
  void leave_thread() noexcept;
  /// Whether this thread runs the loop, or, while it runs none, is the one that will.
  bool is_in_this_thread() const noexcept;
  /// Whether a thread other than this one is in run() or poll() now.
  bool is_run_elsewhere() const noexcept;
  /// Aborts with a sentence if one is.
  void require_not_elsewhere() const noexcept;
  /// Whether this thread runs the loop or, while none does, could be the one that will: it runs no
  /// other loop, and is no pool's, unless the loop is bound to it, or was run nowhere else before.
  bool may_be_in_this_thread() const noexcept;
  /// The time, as of this turn (a few milliseconds off at worst); outside of turns, asks the clock.
  TimePoint now() const noexcept { return is_running() ? now_ : clocks_.exact.now(); }
  /// The exact time, as this loop has it.
  Clock clock() const noexcept {
    return {[](const void* core) noexcept {
              return static_cast<const LoopCore*>(core)->clocks_.exact.now();
            },
            this};
  }
  SpinPolicy spin_policy() const noexcept { return spin_policy_; }

  // Descriptors; see Poller.

  std::error_code add(int fd, std::uint32_t epoll_events, FdWatcher& watcher) {
    return poller_.add(fd, epoll_events, watcher);
  }
  std::error_code modify(int fd, std::uint32_t epoll_events, FdWatcher& watcher) {
    return poller_.modify(fd, epoll_events, watcher);
  }
  void remove(int fd, FdWatcher& watcher) noexcept { poller_.remove(fd, watcher); }
  /// Has the watcher of `fd` called soon, in this turn or the next, as if it had become readable,
  /// at no system call. False: nobody watches it here. REQUIRES: this thread runs the loop.
  bool tell(int fd) noexcept { return poller_.tell(fd); }
  /// Whether it is tell() that a watcher is called for, and not the kernel.
  bool is_telling() const noexcept { return poller_.is_telling(); }

  // Work for this turn, from the loop's thread.

  /// Runs `work` after this turn's events. REQUIRES: it is in no queue. Leaves when destroyed.
  void schedule(Runnable& work);
  /// Resumes `ready` after this turn's events. REQUIRES: it is not destroyed before; use a Runnable
  /// member where it may be.
  void schedule(std::coroutine_handle<> ready);
  /// Runs `work` in the next turn, after posted work, timers and events of that turn, or when the
  /// budget of one after it has room: for whoever has had its share of this one. First come, first
  /// served. Otherwise as schedule().
  void schedule_next_turn(Runnable& work);
  /// Runs `work` when all others that wait had theirs, in this turn if its budget has room.
  void schedule_behind_waiting(Runnable& work) noexcept { waiting_.push_back(work); }
  /// Where work waits for later turns that is no source's.
  TurnQueue& unowned_work() noexcept { return unowned_work_; }
  /// Calls `hook` at the end of this turn, once. Leaves when destroyed.
  void request_turn_end(TurnEndHook& hook) {
    if (!hook.is_linked()) add_turn_end(hook);
  }
  /// What is left of this turn for those who read from peers.
  TurnBudget& budget() noexcept { return budget_; }

  // Work from any thread.

  /// Runs `work` in one of the next turns. REQUIRES: it is in no queue.
  void post(Runnable& work) noexcept { inbox_.post(work); }
  void post(UniqueFunction<void()> work);
  /// Takes `work` back if it was posted and has not begun to run; whether it did.
  bool cancel_posted(Runnable& work) noexcept { return inbox_.cancel(work); }
  void stop() noexcept { inbox_.request_stop(); }

  // Spinning.

  /// `source` had traffic, and was read until nothing was left: while it is hot, the loop polls it
  /// before it sleeps, and calls its prepare_park() before it stops to do so. False: it did not
  /// become hot, and the caller announces that it will not poll itself.
  [[nodiscard]] bool mark_hot(SpinSource& source) { return is_running() && hot_.mark(source); }
  void unmark(SpinSource& source) noexcept { hot_.unmark(source); }

  // Who keeps the loop from turning.

  /// What takes as long as this or longer on the loop is logged, by its BusyLabel.
  void set_busy_threshold(Duration threshold) noexcept { busy_meter_.set_threshold(threshold); }

  /// What time it is. A few milliseconds coarse will do for the second one, if it is cheaper.
  struct Clocks {
    Clock exact;
    Clock coarse{[](const void*) noexcept { return coarse_now(); }, nullptr};
  };
  /// For tests. REQUIRES: the loop does not run.
  void set_clocks(Clocks clocks) noexcept { clocks_ = clocks; }
  /// How it spins from now on. REQUIRES: it does not run.
  void set_spin(SpinPolicy spin) noexcept { spinner_ = Spinner(spin); }

  /// Takes `owned` over: it is destroyed with the loop, or deletes itself before that.
  void adopt(LoopOwned& owned) noexcept { owned_.push_back(owned); }
  /// The same for a spawned task, which does not outlast a sync_wait() on a kept loop either.
  void adopt_task(LoopOwned& task) noexcept { tasks_.push_back(task); }
  /// What the owner of this LoopSlot has here; null until it is set.
  LoopOwned*& slot(std::size_t number) {
    if (number >= slots_.size()) [[unlikely]]
      slots_.resize(number + 1);
    return slots_[number];
  }

  // For EventLoop and sync_wait.

  void run();
  /// Runs until `is_done`, which is set on the loop. Leaves requests to stop to the next run().
  void run_until(const bool& is_done);
  void poll();
  /// Inside of an Entry: does what came while nobody drove the loop.
  void catch_up();
  /// Inside of an Entry: destroys the spawned tasks, and does what they leave to be done.
  void destroy_tasks();
  int fd();
  /// Makes the descriptors, if they are not there.
  std::error_code open() { return poller_.open(); }

  /// The loop that this thread keeps for its next sync_wait(), or null.
  static void set_kept(EventLoop* loop) noexcept;

  /// Makes the loop the current one of this thread, and leaves it such that its descriptor tells of
  /// all that is left to do.
  class Entry {
   public:
    explicit Entry(LoopCore& core) noexcept;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry();

   private:
    LoopCore* core_;
    EventLoop* outer_;
  };

 private:
  friend class Timer;
  class HandleRunnable;

  bool is_running() const noexcept { return is_running_.load(std::memory_order_relaxed); }
  void set_timer(TimerNode& node, TimePoint deadline);
  void refresh_now() noexcept { now_ = clocks_.exact.now(); }
  /// Makes what is left to do show up as readiness of fd().
  void show_pending() noexcept;
  void work_came_from_outside() noexcept;
  void add_turn_end(TurnEndHook& hook);
  bool has_ready_work() const noexcept { return !ready_.empty() || !hooks_.empty(); }
  bool has_work() const noexcept {
    return has_ready_work() || !next_turn_.empty() || !waiting_.empty() || poller_.has_told();
  }

  void turn(bool may_block);
  bool run_posted();
  bool run_timers();
  bool poll_descriptors();
  void poll_hot_sources();
  void wait_for_work();
  bool spin();
  void park();
  void nap_without_descriptors(const std::error_code& why);
  void run_longest_waiting();
  void run_ready();
  void run_one(Runnable& work, TimePoint& before);
  void run_hooks();
  void run_told();
  void report_busy(const std::optional<std::string>& report);

  EventLoop* owner_;
  SpinPolicy spin_policy_;
  /// These two are atomic for is_run_elsewhere() and may_be_in_this_thread() alone.
  std::atomic<bool> is_running_{false};
  /// The thread that runs it, or did last; null before.
  std::atomic<const ThreadLoops*> last_ran_in_{nullptr};
  /// Whether stop() ends the loop's sleep: not in run_until(), which goes on.
  bool heeds_stop_ = true;
  TimePoint now_{};
  Poller poller_;
  Inbox inbox_;
  TimerQueue timers_;
  IntrusiveList<Runnable> ready_;
  /// Whose turn begins with the next one, and whose has begun but had no room yet.
  IntrusiveList<Runnable> next_turn_;
  IntrusiveList<Runnable> waiting_;
  TurnQueue unowned_work_{*this};
  IntrusiveList<TurnEndHook> hooks_;
  IntrusiveList<LoopOwned> tasks_;
  IntrusiveList<LoopOwned> owned_;
  TurnBudget budget_;
  std::vector<LoopOwned*> slots_;
  HotSources hot_;
  Spinner spinner_;
  /// When the descriptors are looked at again while the hot sources keep the loop busy.
  TimePoint next_descriptor_poll_{};

  std::vector<std::unique_ptr<HandleRunnable>> handle_runnables_;
  IntrusiveList<Runnable> free_handle_runnables_;

  Clocks clocks_;
  BusyMeter busy_meter_;
  LogLimiter busy_limiter_;
  LogLimiter shortage_limiter_;
};

/// One deadline on a loop; a member of whatever waits for it. Clears itself when destroyed. The
/// callback runs on the loop and may set or destroy any timer. Thread safety: the loop's thread.
class Timer {
 public:
  Timer(LoopCore& core, TimerNode::Callback callback, void* argument) noexcept
      : core_(&core), node_(callback, argument) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { clear(); }

  /// Sets it, or moves it; no_deadline clears it.
  void set(TimePoint deadline) { core_->set_timer(node_, deadline); }
  void clear() noexcept { core_->timers_.clear(node_); }
  bool is_set() const noexcept { return node_.is_set(); }

 private:
  LoopCore* core_;
  TimerNode node_;
};

}  // namespace nearcall::inline v0::detail
