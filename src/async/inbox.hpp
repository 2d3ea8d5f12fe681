// SPDX-License-Identifier: Apache-2.0
// Inbox: how other threads hand work to a loop, and wake it.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/poller.hpp"
#include "async/runnable.hpp"

#include <atomic>
#include <mutex>

namespace nearcall::inline v0::detail {

/// Work for a loop, from any thread.
///
/// Everything that another thread does happens under one mutex, the eventfd's write included. So
/// no wake-up is lost: the loop looks for work and declares itself asleep in one critical section,
/// a poster adds work and looks whether the loop sleeps in one. And whoever knows, through the
/// mutex, that a post or a stop has taken place may destroy the loop: nobody touches it any more.
/// A loop that is awake costs a poster no system call, and asking for work costs the loop one
/// relaxed load as long as there is none.
class Inbox {
 public:
  explicit Inbox(const Poller& poller) noexcept : poller_(&poller) {}

  // From any thread.

  /// REQUIRES: `work` is in no queue, and lives until it has run, was dropped or cancelled.
  void post(Runnable& work) noexcept;
  /// Takes `work` back if it has not left the inbox yet; whether it did.
  bool cancel(Runnable& work) noexcept;
  void request_stop() noexcept;

  // From the loop's thread.

  /// Whether there may be work or a stop request. One relaxed load: it may lag behind, but not
  /// behind prepare_sleep().
  bool has_news() const noexcept { return has_news_.load(std::memory_order_relaxed); }
  /// The oldest work, or null.
  Runnable* take() noexcept;
  bool is_stop_requested() const noexcept {
    return stop_requested_.load(std::memory_order_relaxed);
  }
  /// Clears the stop request, as run() ends.
  void clear_stop() noexcept;
  /// From now on, news signal the poller; false if there are some now. REQUIRES: the poller is
  /// open.
  bool prepare_sleep() noexcept;
  /// The same for a loop that its owner drives with poll(): a stop request means nothing to it.
  bool prepare_absence() noexcept;
  /// News need not signal the poller any more.
  void wake_up() noexcept { wants_signal_.store(false, std::memory_order_relaxed); }

 private:
  void announce() noexcept;
  bool prepare(bool heeds_stop) noexcept;

  const Poller* poller_;
  std::mutex mutex_;
  IntrusiveList<Runnable> work_;
  /// Is work_ not empty, or a stop requested? Written under mutex_.
  std::atomic<bool> has_news_{false};
  /// Has stop been requested since run() last ended? Written under mutex_.
  std::atomic<bool> stop_requested_{false};
  /// Does the loop sleep, or stand outside of run() and poll()? Set under mutex_ by the loop, reset
  /// by the first poster, under mutex_, or by the loop when it wakes, without: a poster that does
  /// not see that yet signals once too often.
  std::atomic<bool> wants_signal_{false};
};

}  // namespace nearcall::inline v0::detail
