// SPDX-License-Identifier: Apache-2.0
// Bell: a descriptor that tells one who waits to go on.
#pragma once

#include "support/event_fd.hpp"

#include <nearcall/transport.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <utility>

namespace nearcall::test {

/// A pipe, which is ready for writing until lower() fills it.
class FullPipe {
 public:
  FullPipe() {
    std::array<int, 2> ends{-1, -1};
    CHECK(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, errno);
    read_ = detail::UniqueFd(ends[0]);
    write_ = detail::UniqueFd(ends[1]);
    ::fcntl(write_.get(), F_SETPIPE_SZ, 4096);
    lower();
  }

  int get() const noexcept { return write_.get(); }
  void raise() const noexcept {
    std::array<char, 4096> block{};
    while (::read(read_.get(), block.data(), block.size()) > 0) {
    }
  }
  void lower() const noexcept {
    std::array<char, 4096> block{};
    while (::write(write_.get(), block.data(), block.size()) > 0) {
    }
  }

 private:
  detail::UniqueFd read_;
  detail::UniqueFd write_;
};

/// Ready from raise() to lower(), for POLLIN or for POLLOUT. Counts whom it sent to sleep and woke.
/// Thread safety: none.
class Bell {
 public:
  /// `wakes_sleepers_only`: raise() does nothing unless somebody went to sleep since the last
  /// raise() or lower().
  Bell(short events, bool wakes_sleepers_only) : wakes_sleepers_only_(wakes_sleepers_only) {
    if (events == POLLOUT) pipe_.emplace();
  }

  WaitAdvice sleep() noexcept {
    ++sleeps_;
    is_slept_on_ = true;
    return pipe_ ? WaitAdvice::poll(pipe_->get(), POLLOUT) : WaitAdvice::poll(event_.get(), POLLIN);
  }
  void raise() noexcept {
    if (std::exchange(is_slept_on_, false)) {
      ++wakes_;
    } else if (wakes_sleepers_only_) {
      return;
    }
    pipe_ ? pipe_->raise() : event_.raise();
  }
  void lower() noexcept {
    is_slept_on_ = false;
    pipe_ ? pipe_->lower() : event_.lower();
  }
  std::size_t sleeps() const noexcept { return sleeps_; }
  std::size_t wakes() const noexcept { return wakes_; }

 private:
  const bool wakes_sleepers_only_;
  bool is_slept_on_ = false;
  std::size_t sleeps_ = 0;
  std::size_t wakes_ = 0;
  const EventFd event_;
  std::optional<FullPipe> pipe_;
};

}  // namespace nearcall::test
