// SPDX-License-Identifier: Apache-2.0
// epoll, eventfd and timerfd.
#include "async/poller.hpp"

#include "async/cancel_event.hpp"
#include "base/check.hpp"

#include <nearcall/result.hpp>

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

std::error_code last_error() {
  return {errno, std::system_category()};
}

std::error_code control(int set, int operation, int fd, std::uint32_t events, void* tag) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = tag;
  return ::epoll_ctl(set, operation, fd, &event) == 0 ? std::error_code() : last_error();
}

timespec to_timespec(TimePoint deadline) noexcept {
  // A timer that is set to zero would be disarmed.
  const auto since_boot = std::max(deadline.time_since_epoch(), Duration(1));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
  return time;
}

}  // namespace

std::error_code Poller::open() {
  if (is_open()) return {};
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return last_error();
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return last_error();
  UniqueFd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return last_error();
  const int set = epoll.get();
  // The tags are the addresses of the members, which no watcher has.
  if (auto error = control(set, EPOLL_CTL_ADD, wake.get(), EPOLLIN | EPOLLET, nullptr)) {
    return error;
  }
  if (auto error = control(set, EPOLL_CTL_ADD, timer.get(), EPOLLIN | EPOLLET, &timer_)) {
    return error;
  }
  made_in_ = ForkMark();
  epoll_ = std::move(epoll);
  wake_ = std::move(wake);
  timer_ = std::move(timer);
  return {};
}

std::error_code Poller::open_host_fd() {
  if (host_) return {};
  UniqueFd host(::epoll_create1(EPOLL_CLOEXEC));
  if (!host) return last_error();
  if (auto error = control(host.get(), EPOLL_CTL_ADD, epoll_.get(), EPOLLIN, nullptr)) return error;
  host_ = std::move(host);
  return {};
}

void Poller::set_hidden(bool is_hidden) noexcept {
  if (!host_ || is_hidden_ == is_hidden || is_inherited()) return;
  is_hidden_ = is_hidden;
  static_cast<void>(
      control(host_.get(), EPOLL_CTL_MOD, epoll_.get(), is_hidden ? 0U : EPOLLIN, nullptr));
}

std::error_code Poller::add(int fd, std::uint32_t events, FdWatcher& watcher) {
  if (auto error = open()) return error;
  if (is_inherited()) return std::make_error_code(std::errc::no_child_process);
  const std::error_code error = control(epoll_.get(), EPOLL_CTL_ADD, fd, events, &watcher);
  if (!error) table_.add(fd, watcher);
  return error;
}

std::error_code Poller::modify(int fd, std::uint32_t events, FdWatcher& watcher) {
  if (is_inherited()) return std::make_error_code(std::errc::no_child_process);
  return control(epoll_.get(), EPOLL_CTL_MOD, fd, events, &watcher);
}

void Poller::remove(int fd, FdWatcher& watcher) noexcept {
  if (!is_open()) return;
  table_.remove(fd);
  // Of a forked child the parent still waits for the descriptor.
  if (!is_inherited()) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (std::size_t index = 0; index < batch_count_; ++index) {
    if (batch_[index].data.ptr == &watcher) batch_[index].data.ptr = nullptr;
  }
}

void Poller::signal() const noexcept {
  if (is_inherited()) return;
  const std::uint64_t one = 1;
  // Fails only if 2^64 - 1 wake-ups have been counted.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void Poller::arm(TimePoint deadline, TimePoint now) noexcept {
  if (armed_ <= now) armed_ = no_deadline;
  if (deadline >= armed_ || is_inherited()) return;
  itimerspec setting{};
  setting.it_value = to_timespec(deadline);
  const int result = ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &setting, nullptr);
  CHECK(result == 0, errno);
  armed_ = deadline;
}

/// Never taken out: it is never closed, and a process has one.
void Poller::watch_cancel_event() noexcept {
  const int event = CancelEvent::descriptor();
  if (event == cancel_event_ || is_inherited()) return;
  if (!control(epoll_.get(), EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET, &cancel_event_)) {
    cancel_event_ = event;
  }
}

void Poller::wait(bool may_block) noexcept {
  if (is_inherited()) [[unlikely]] {
    if (!may_block) return;
    fail_precondition(
        "EventLoop: waits in a forked child of the process that used it, where nothing comes; make "
        "another one there");
  }
  watch_cancel_event();
  const int count = ::epoll_wait(epoll_.get(), batch_.data(), static_cast<int>(batch_.size()),
                                 may_block ? -1 : 0);
  CHECK(count >= 0 || errno == EINTR, errno);
  batch_count_ = count > 0 ? static_cast<std::size_t>(count) : 0;
}

bool Poller::dispatch() {
  bool has_called = dispatch_told();
  for (std::size_t index = 0; index < batch_count_; ++index) {
    const epoll_event event = batch_[index];
    if (event.data.ptr == nullptr) continue;
    if (event.data.ptr == &timer_) {
      armed_ = no_deadline;
      continue;
    }
    if (event.data.ptr == &cancel_event_) {
      CancelEvent::deliver();
      continue;
    }
    has_called = true;
    static_cast<FdWatcher*>(event.data.ptr)->on_fd_events(event.events);
  }
  batch_count_ = 0;
  return has_called;
}

}  // namespace nearcall::inline v0::detail
