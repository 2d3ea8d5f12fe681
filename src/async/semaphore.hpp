// SPDX-License-Identifier: Apache-2.0
// Semaphore: permits that tasks of several loops wait for, and any thread gives.
#pragma once

#include "async/busy_meter.hpp"
#include "async/intrusive_list.hpp"
#include "async/runnable.hpp"

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace nearcall::inline v0::detail {

class LoopCore;
class SemaphoreWaiter;

/// Some permits, or as many as anybody wants: an event is a semaphore that has none or is
/// unlimited.
///
/// Whoever waits gets its permit in the order in which it came, and goes on on its own loop. The
/// permit of one that is destroyed on its way goes to the next. A waiter that goes on may destroy
/// the semaphore: whoever resumed it is out of it by then.
///
/// Thread safety: any thread. REQUIRES: it outlives its waiters.
class Semaphore {
 public:
  explicit Semaphore(std::size_t permits) noexcept : permits_(permits) {}
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore();

  void release() noexcept;
  bool try_acquire() noexcept;
  /// While it is unlimited nobody waits, and no permit is used up.
  void set_unlimited(bool is_unlimited) noexcept;
  bool is_unlimited() const noexcept;

 private:
  friend SemaphoreWaiter;

  bool try_acquire_locked() noexcept;
  void release_locked() noexcept;
  void wake_oldest() noexcept;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::size_t permits_;
  bool is_unlimited_ = false;
  IntrusiveList<Runnable> waiters_;
};

/// One coroutine that waits for a permit, on the loop of this thread; lives inside an awaiter.
///
/// Thread safety: the loop's thread.
class SemaphoreWaiter final : public Runnable {
 public:
  SemaphoreWaiter(Semaphore& semaphore, LoopCore& loop, std::coroutine_handle<> waiting) noexcept
      : semaphore_(&semaphore), loop_(&loop), waiting_(waiting) {}
  SemaphoreWaiter(const SemaphoreWaiter&) = delete;
  SemaphoreWaiter& operator=(const SemaphoreWaiter&) = delete;
  ~SemaphoreWaiter();

  /// False if it got its permit at once.
  bool start() noexcept;
  void run() noexcept override;

 private:
  friend Semaphore;
  enum class State : std::uint8_t { waits, has_permit, went_on };

  Semaphore* semaphore_;
  LoopCore* loop_;
  Suspended waiting_;
  /// Guarded by the semaphore's mutex while it waits.
  State state_ = State::waits;
};

}  // namespace nearcall::inline v0::detail
