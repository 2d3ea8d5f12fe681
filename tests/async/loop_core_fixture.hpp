// SPDX-License-Identifier: Apache-2.0
// A loop's core under test, and work, hooks and descriptors that call what the test says.
#pragma once

#include "async/loop_core.hpp"
#include "base/unique_fd.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

class CallRunnable final : public Runnable {
 public:
  explicit CallRunnable(std::function<void()> call) : call_(std::move(call)) {}
  void run() noexcept override { call_(); }

 private:
  std::function<void()> call_;
};

class CallHook final : public TurnEndHook {
 public:
  explicit CallHook(std::function<void()> call) : call_(std::move(call)) {}
  void on_turn_end() override { call_(); }

 private:
  std::function<void()> call_;
};

/// An eventfd that is readable, with a watcher.
class CallWatcher final : public FdWatcher {
 public:
  CallWatcher(LoopCore& core, std::function<void()> call, std::uint32_t events = EPOLLIN | EPOLLET)
      : core_(&core), call_(std::move(call)), fd_(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)) {
    EXPECT_FALSE(core_->add(fd_.get(), events, *this));
  }
  CallWatcher(const CallWatcher&) = delete;
  CallWatcher& operator=(const CallWatcher&) = delete;
  ~CallWatcher() { remove(); }

  void on_fd_events(std::uint32_t /*epoll_events*/) override { call_(); }
  void remove() {
    if (fd_) core_->remove(fd_.get(), *this);
    fd_.reset();
  }
  int fd() const { return fd_.get(); }

 private:
  LoopCore* core_;
  std::function<void()> call_;
  UniqueFd fd_;
};

class LoopCoreTest : public testing::Test {
 protected:
  bool is_readable() {
    pollfd look{loop_.fd(), POLLIN, 0};
    return ::poll(&look, 1, 0) == 1;
  }

  EventLoop loop_;
  LoopCore& core_ = Access::core(loop_);
  std::vector<std::string> events_;
};

}  // namespace nearcall::inline v0::detail
