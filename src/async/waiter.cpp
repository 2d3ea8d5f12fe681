// SPDX-License-Identifier: Apache-2.0
// sleep_for(), wait_readable(), wait_writable(): how they wait.
#include "async/waiter.hpp"

#include "base/shortage.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {
namespace {

/// How soon a descriptor is looked at again that the system could not watch.
constexpr Duration between_looks = std::chrono::milliseconds(10);

bool is_fd_ready(int fd, std::uint32_t epoll_events) noexcept {
  pollfd look{fd, static_cast<short>(epoll_events == EPOLLIN ? POLLIN : POLLOUT), 0};
  return ::poll(&look, 1, 0) > 0;
}

}  // namespace

Waiter::Waiter(WaitState& state, LoopCore& core, std::coroutine_handle<> waiting) noexcept
    : state_(&state), core_(&core), timer_(core, &Waiter::on_timer, this), resume_(waiting) {
}

Waiter::~Waiter() {
  if (on_stop_) {
    on_stop_.reset();  // waits for the callback, if another thread is in it
    core_->cancel_posted(stopped_);
  }
  if (watch_ == Watch::yes) core_->remove(duplicate_ ? duplicate_.get() : state_->fd, *this);
}

bool Waiter::start() {
  if (state_->fd >= 0 && !watch()) {
    state_->outcome = Outcome::ready;
    return false;
  }
  set_timer();
  if (state_->stop.stop_possible()) on_stop_.emplace(state_->stop, OnStop(*this));
  return true;
}

bool Waiter::watch() {
  std::error_code error = core_->add(state_->fd, state_->events, *this);
  if (error == std::errc::file_exists) {
    duplicate_ = UniqueFd(::fcntl(state_->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    error = duplicate_ ? core_->add(duplicate_.get(), state_->events, *this)
                       : std::error_code(errno, std::system_category());
  }
  watch_ = !error ? Watch::yes : is_shortage(error.value()) ? Watch::refused : Watch::no;
  return watch_ != Watch::no;
}

void Waiter::set_timer() {
  const bool looks_again = watch_ == Watch::refused;
  timer_.set(looks_again ? std::min(state_->deadline, core_->now() + between_looks)
                         : state_->deadline);
}

void Waiter::on_timer(void* self) noexcept {
  auto& waiter = *static_cast<Waiter*>(self);
  const WaitState& state = *waiter.state_;
  if (waiter.watch_ == Watch::refused) {
    if (is_fd_ready(state.fd, state.events) || !waiter.watch()) {
      return waiter.settle(Outcome::ready);
    }
  }
  if (state.deadline <= waiter.core_->now()) return waiter.settle(Outcome::deadline);
  waiter.set_timer();
}

void Waiter::on_fd_events(std::uint32_t /*epoll_events*/) {
  settle(Outcome::ready);
}

void Waiter::settle(Outcome outcome) noexcept {
  if (state_->outcome != Outcome::none) return;
  state_->outcome = outcome;
  core_->schedule(resume_);
}

WaitAwaiter::~WaitAwaiter() {
  settle();
}

bool WaitAwaiter::await_ready() noexcept {
  if (state_.stop.stop_requested()) {
    state_.outcome = Outcome::stopped;
  } else if (state_.fd >= 0 && is_fd_ready(state_.fd, state_.events)) {
    state_.outcome = Outcome::ready;
  }
  if (state_.outcome == Outcome::none && state_.deadline <= current_time())
    state_.outcome = Outcome::deadline;
  return state_.outcome != Outcome::none;
}

bool WaitAwaiter::await_suspend(std::coroutine_handle<> waiting) {
  static_assert(sizeof(Waiter) <= storage_size);
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    fail_precondition(
        "sleep_for or wait_…: no EventLoop runs on this thread; resume_on(loop) first");
  }
  waiter_ = ::new (static_cast<void*>(storage_)) Waiter(state_, Access::core(*loop), waiting);
  return waiter_->start();
}

void WaitAwaiter::settle() noexcept {
  if (waiter_ != nullptr) std::destroy_at(std::exchange(waiter_, nullptr));
}

}  // namespace detail

detail::SleepAwaiter sleep_for(std::chrono::nanoseconds duration) {
  return detail::SleepAwaiter({detail::deadline_after(detail::current_time(), duration), {}});
}

detail::StoppableSleepAwaiter sleep_for(std::chrono::nanoseconds duration, std::stop_token stop) {
  return detail::StoppableSleepAwaiter(
      {detail::deadline_after(detail::current_time(), duration), std::move(stop)});
}

detail::FdAwaiter wait_readable(int fd, detail::TimePoint deadline, std::stop_token stop) {
  return detail::FdAwaiter({deadline, std::move(stop), fd, EPOLLIN});
}

detail::FdAwaiter wait_writable(int fd, detail::TimePoint deadline, std::stop_token stop) {
  return detail::FdAwaiter({deadline, std::move(stop), fd, EPOLLOUT});
}

}  // namespace nearcall::inline v0
