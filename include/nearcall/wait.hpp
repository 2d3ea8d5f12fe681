// SPDX-License-Identifier: Apache-2.0
// sleep_for(), wait_readable(), wait_writable(): what a task can wait for.
#pragma once

#include <nearcall/version.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

class Waiter;

/// Suspends until a deadline, a descriptor or a stop request, whichever is first; resumes on the
/// loop that it was awaited on. Holds the private Waiter, so that waiting allocates nothing.
class WaitAwaiter {
 public:
  WaitAwaiter(const WaitAwaiter&) = delete;
  WaitAwaiter& operator=(const WaitAwaiter&) = delete;
  ~WaitAwaiter();

  bool await_ready() noexcept;
  bool await_suspend(std::coroutine_handle<> waiting);

 protected:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Outcome : std::uint8_t { none, deadline, ready, stopped };
  friend class Waiter;

  WaitAwaiter(TimePoint deadline, std::stop_token stop) noexcept
      : deadline_(deadline), stop_(std::move(stop)) {}
  WaitAwaiter(int fd, std::uint32_t events, TimePoint deadline, std::stop_token stop) noexcept
      : deadline_(deadline), stop_(std::move(stop)), fd_(fd), events_(events) {}
  Outcome outcome() const noexcept { return outcome_; }
  /// Takes the waiter down.
  void settle() noexcept;

  static constexpr std::size_t storage_size = 320;

 private:
  TimePoint deadline_;
  std::stop_token stop_;
  Waiter* waiter_ = nullptr;
  int fd_ = -1;
  std::uint32_t events_ = 0;
  Outcome outcome_ = Outcome::none;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

class [[nodiscard]] SleepAwaiter final : public WaitAwaiter {
 public:
  explicit SleepAwaiter(TimePoint deadline) noexcept : WaitAwaiter(deadline, {}) {}
  void await_resume() noexcept { settle(); }
};

class [[nodiscard]] StoppableSleepAwaiter final : public WaitAwaiter {
 public:
  StoppableSleepAwaiter(TimePoint deadline, std::stop_token stop) noexcept
      : WaitAwaiter(deadline, std::move(stop)) {}
  bool await_resume() noexcept {
    settle();
    return outcome() == Outcome::deadline;
  }
};

class [[nodiscard]] StopAwaiter final : public WaitAwaiter {
 public:
  explicit StopAwaiter(std::stop_token stop) noexcept
      : WaitAwaiter(TimePoint::max(), std::move(stop)) {}
  void await_resume() noexcept { settle(); }
};

class [[nodiscard]] FdAwaiter final : public WaitAwaiter {
 public:
  FdAwaiter(int fd, std::uint32_t events, TimePoint deadline, std::stop_token stop) noexcept
      : WaitAwaiter(fd, events, deadline, std::move(stop)) {}
  bool await_resume() noexcept {
    settle();
    return outcome() == Outcome::ready;
  }
};

}  // namespace detail

// What a task can wait for. sleep_for() and wait_…() need a running EventLoop on this thread, and
// resume on it.

/// `co_await sleep_for(5ms);`
detail::SleepAwaiter sleep_for(std::chrono::nanoseconds duration);
/// `bool slept = co_await sleep_for(5ms, token);` false: a stop was requested before, or meanwhile
/// (from any thread), and the task goes on at once.
detail::StoppableSleepAwaiter sleep_for(std::chrono::nanoseconds duration, std::stop_token stop);

/// `co_await wait_readable(fd);` until a read would not block; false if `deadline` passed or a stop
/// was requested before that. A descriptor that cannot be waited for counts as ready: the read
/// tells why. Where the system is short of descriptors, the loop looks every 10 ms instead.
detail::FdAwaiter wait_readable(
    int fd,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
    std::stop_token stop = std::stop_token());
/// The same for writing, and for a connect() in progress.
detail::FdAwaiter wait_writable(
    int fd,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
    std::stop_token stop = std::stop_token());

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
