// SPDX-License-Identifier: Apache-2.0
// How permits find those who wait for them.
#include "async/semaphore.hpp"

#include "async/loop_core.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/result.hpp>

#include <memory>
#include <new>
#include <utility>

namespace nearcall::inline v0::detail {

Semaphore::~Semaphore() {
  if (!waiters_.empty()) {
    fail_precondition(
        "AsyncEvent, AsyncQueue or TaskScope: destroyed while a task waits for it; end that first");
  }
}

void Semaphore::release() noexcept {
  const std::lock_guard lock(mutex_);
  release_locked();
}

bool Semaphore::try_acquire() noexcept {
  const std::lock_guard lock(mutex_);
  return try_acquire_locked();
}

void Semaphore::set_unlimited(bool is_unlimited) noexcept {
  const std::lock_guard lock(mutex_);
  is_unlimited_ = is_unlimited;
  while (is_unlimited_ && !waiters_.empty())
    wake_oldest();
}

bool Semaphore::is_unlimited() const noexcept {
  const std::lock_guard lock(mutex_);
  return is_unlimited_;
}

bool Semaphore::try_acquire_locked() noexcept {
  if (is_unlimited_) return true;
  if (permits_ == 0) return false;
  --permits_;
  return true;
}

void Semaphore::release_locked() noexcept {
  if (waiters_.empty()) {
    ++permits_;
  } else {
    wake_oldest();
  }
}

void Semaphore::wake_oldest() noexcept {
  auto& waiter = static_cast<SemaphoreWaiter&>(*waiters_.pop_front());
  waiter.state_ = SemaphoreWaiter::State::has_permit;
  if (waiter.loop_->is_in_this_thread()) {
    waiter.loop_->schedule(waiter);
  } else {
    waiter.loop_->post(waiter);
  }
}

bool SemaphoreWaiter::start() noexcept {
  const std::lock_guard lock(semaphore_->mutex_);
  if (semaphore_->try_acquire_locked()) {
    state_ = State::went_on;
    return false;
  }
  semaphore_->waiters_.push_back(*this);
  return true;
}

void SemaphoreWaiter::run() noexcept {
  state_ = State::went_on;
  waiting_.resume();
}

// On the loop's thread. The mutex is taken in any case: whoever gave the permit is out of it then.
SemaphoreWaiter::~SemaphoreWaiter() {
  const std::lock_guard lock(semaphore_->mutex_);
  switch (state_) {
    case State::waits:
      unlink();
      break;
    case State::has_permit:
      loop_->cancel_posted(*this);
      semaphore_->release_locked();
      break;
    case State::went_on:
      break;
  }
}

SemaphoreAwaiter::~SemaphoreAwaiter() {
  settle();
}

bool SemaphoreAwaiter::await_ready() const noexcept {
  if (EventLoop::current() == nullptr) fail_precondition(without_loop_);
  return semaphore_->try_acquire();
}

bool SemaphoreAwaiter::await_suspend(std::coroutine_handle<> waiting) noexcept {
  static_assert(sizeof(SemaphoreWaiter) <= storage_size);
  LoopCore& loop = Access::core(*EventLoop::current());
  waiter_ = ::new (static_cast<void*>(storage_)) SemaphoreWaiter(*semaphore_, loop, waiting);
  return waiter_->start();
}

void SemaphoreAwaiter::settle() noexcept {
  if (waiter_ != nullptr) std::destroy_at(std::exchange(waiter_, nullptr));
}

}  // namespace nearcall::inline v0::detail
