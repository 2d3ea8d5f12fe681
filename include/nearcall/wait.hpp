// SPDX-License-Identifier: Apache-2.0
// sleep_for(), wait_readable(), wait_writable(): what a task can wait for.
#pragma once

#include <nearcall/access.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// What is waited for, and what came of it.
struct WaitState {
  enum class Outcome : std::uint8_t { none, deadline, ready, stopped };

  std::chrono::steady_clock::time_point deadline;
  std::stop_token stop;
  int fd = -1;
  std::uint32_t events = 0;
  Outcome outcome = Outcome::none;
};

/// Suspends until a deadline, a descriptor or a stop request, whichever is first; resumes on the
/// loop that it was awaited on. Holds the private Waiter, so that waiting allocates nothing.
class WaitAwaiter {
 public:
  explicit WaitAwaiter(WaitState state) noexcept : state_(std::move(state)) {}
  WaitAwaiter(const WaitAwaiter&) = delete;
  WaitAwaiter& operator=(const WaitAwaiter&) = delete;
  ~WaitAwaiter();

  bool await_ready() noexcept;
  bool await_suspend(std::coroutine_handle<> waiting);

 protected:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Outcome = WaitState::Outcome;

  Outcome outcome() const noexcept { return state_.outcome; }
  /// Takes the waiter down.
  void settle() noexcept;

  static constexpr std::size_t storage_size = 320;

 private:
  WaitState state_;
  Waiter* waiter_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

class [[nodiscard]] SleepAwaiter final : public WaitAwaiter {
 public:
  using WaitAwaiter::WaitAwaiter;
  void await_resume() noexcept { settle(); }
};

/// Says whether it was `wanted` that came first.
template <WaitState::Outcome wanted>
class [[nodiscard]] OutcomeAwaiter final : public WaitAwaiter {
 public:
  using WaitAwaiter::WaitAwaiter;
  bool await_resume() noexcept {
    settle();
    return outcome() == wanted;
  }
};
using StoppableSleepAwaiter = OutcomeAwaiter<WaitState::Outcome::deadline>;
using FdAwaiter = OutcomeAwaiter<WaitState::Outcome::ready>;

class [[nodiscard]] StopAwaiter final : public WaitAwaiter {
 public:
  explicit StopAwaiter(std::stop_token stop) noexcept
      : WaitAwaiter({TimePoint::max(), std::move(stop)}) {}
  void await_resume() noexcept { settle(); }
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
