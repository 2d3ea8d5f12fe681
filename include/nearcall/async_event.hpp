// SPDX-License-Identifier: Apache-2.0
// AsyncEvent: something that has happened, which tasks wait for and any thread announces.
#pragma once

#include <nearcall/access.hpp>

#include <coroutine>
#include <cstddef>
#include <memory>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// Suspends until there is a permit. Holds the private waiter, so that waiting allocates nothing.
class [[nodiscard]] SemaphoreAwaiter {
 public:
  /// `without_loop`: what to say where no loop could resume the coroutine.
  SemaphoreAwaiter(Semaphore& semaphore, const char* without_loop) noexcept
      : semaphore_(&semaphore), without_loop_(without_loop) {}
  SemaphoreAwaiter(const SemaphoreAwaiter&) = delete;
  SemaphoreAwaiter& operator=(const SemaphoreAwaiter&) = delete;
  ~SemaphoreAwaiter();

  bool await_ready() const noexcept;
  bool await_suspend(std::coroutine_handle<> waiting) noexcept;
  void await_resume() noexcept { settle(); }

 protected:
  /// Takes the waiter down.
  void settle() noexcept;

 private:
  static constexpr std::size_t storage_size = 80;

  Semaphore* semaphore_;
  const char* without_loop_;
  SemaphoreWaiter* waiter_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

}  // namespace detail

/// A flag that tasks wait for:
///
///     AsyncEvent configured;
///     co_await configured.wait();   // here
///     configured.set();             // there, on any thread
///
/// Stays set until reset(): whoever comes later does not wait. Waiters may be on several loops;
/// each goes on on its own, in one of its next turns.
///
/// Thread safety: any thread. REQUIRES: it outlives those who wait for it.
class AsyncEvent {
 public:
  AsyncEvent();
  AsyncEvent(const AsyncEvent&) = delete;
  AsyncEvent& operator=(const AsyncEvent&) = delete;
  ~AsyncEvent();

  /// Resumes all who wait.
  void set() noexcept;
  /// Whoever waits from now on waits for the next set(). Whom an earlier one resumed goes on.
  void reset() noexcept;
  [[nodiscard]] bool is_set() const noexcept;
  /// `co_await event.wait();` at once if it is set. REQUIRES: the thread has an EventLoop; on a
  /// thread of a pool, resume_on(loop) first.
  detail::SemaphoreAwaiter wait() noexcept;

 private:
  std::unique_ptr<detail::Semaphore> semaphore_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
