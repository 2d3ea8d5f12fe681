// SPDX-License-Identifier: Apache-2.0
// sleep_for(), wait_readable(), wait_writable(): how they wait.
#include "async/waiter.hpp"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <memory>
#include <new>
#include <utility>

namespace nearcall {
namespace detail {

Waiter::Waiter(WaitAwaiter& awaiter, LoopCore& core, std::coroutine_handle<> waiting) noexcept
    : awaiter_(&awaiter),
      core_(&core),
      timer_(
          core,
          [](void* self) noexcept { static_cast<Waiter*>(self)->settle(Outcome::deadline); },
          this),
      resume_(waiting),
      stopped_(*this) {
}

Waiter::~Waiter() {
  if (on_stop_) {
    on_stop_.reset();  // waits for the callback, if another thread is in it
    core_->cancel_posted(stopped_);
  }
  if (is_watching_) core_->remove(duplicate_ ? duplicate_.get() : awaiter_->fd_, *this);
}

bool Waiter::start() {
  if (awaiter_->fd_ >= 0 && !watch()) {
    awaiter_->outcome_ = Outcome::ready;
    return false;
  }
  timer_.set(awaiter_->deadline_);
  if (awaiter_->stop_.stop_possible()) on_stop_.emplace(awaiter_->stop_, OnStop(*this));
  return true;
}

bool Waiter::watch() {
  std::error_code error = core_->add(awaiter_->fd_, awaiter_->events_, *this);
  if (error == std::errc::file_exists) {
    duplicate_ = UniqueFd(::fcntl(awaiter_->fd_, F_DUPFD_CLOEXEC, 0));
    error = core_->add(duplicate_.get(), awaiter_->events_, *this);
  }
  is_watching_ = !error;
  return is_watching_;
}

void Waiter::on_fd_events(std::uint32_t /*epoll_events*/) {
  settle(Outcome::ready);
}

void Waiter::settle(Outcome outcome) noexcept {
  if (awaiter_->outcome_ != Outcome::none) return;
  awaiter_->outcome_ = outcome;
  core_->schedule(resume_);
}

WaitAwaiter::~WaitAwaiter() {
  settle();
}

bool WaitAwaiter::await_ready() noexcept {
  if (stop_.stop_requested()) {
    outcome_ = Outcome::stopped;
  } else if (fd_ >= 0) {
    pollfd look{fd_, static_cast<short>(events_ == EPOLLIN ? POLLIN : POLLOUT), 0};
    if (::poll(&look, 1, 0) > 0) outcome_ = Outcome::ready;
  }
  if (outcome_ == Outcome::none && deadline_ <= SteadyClock::now()) outcome_ = Outcome::deadline;
  return outcome_ != Outcome::none;
}

bool WaitAwaiter::await_suspend(std::coroutine_handle<> waiting) {
  static_assert(sizeof(Waiter) <= storage_size);
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    fail_precondition(
        "sleep_for or wait_…: no EventLoop runs on this thread; resume_on(loop) first");
  }
  waiter_ = ::new (static_cast<void*>(storage_)) Waiter(*this, loop->core(), waiting);
  return waiter_->start();
}

void WaitAwaiter::settle() noexcept {
  if (waiter_ != nullptr) std::destroy_at(std::exchange(waiter_, nullptr));
}

}  // namespace detail

detail::SleepAwaiter sleep_for(std::chrono::nanoseconds duration) {
  return detail::SleepAwaiter(deadline_after(SteadyClock::now(), duration));
}

detail::StoppableSleepAwaiter sleep_for(std::chrono::nanoseconds duration, std::stop_token stop) {
  return {deadline_after(SteadyClock::now(), duration), std::move(stop)};
}

detail::FdAwaiter wait_readable(int fd, TimePoint deadline, std::stop_token stop) {
  return {fd, EPOLLIN, deadline, std::move(stop)};
}

detail::FdAwaiter wait_writable(int fd, TimePoint deadline, std::stop_token stop) {
  return {fd, EPOLLOUT, deadline, std::move(stop)};
}

}  // namespace nearcall
