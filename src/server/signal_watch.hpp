// SPDX-License-Identifier: Apache-2.0
// SignalWatch: SIGINT and SIGTERM as an event of a loop.
#pragma once

#include "async/loop_core.hpp"
#include "base/unique_fd.hpp"

#include <signal.h>

#include <array>
#include <functional>

namespace nearcall::detail {

/// Calls `on_signal` on the loop when SIGINT or SIGTERM comes, as long as it lives. Signals that
/// the program handles or ignores itself are left to it. One at a time in a process; a second one
/// watches nothing.
class SignalWatch final : public FdWatcher {
 public:
  SignalWatch(LoopCore& core, std::function<void()> on_signal);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

  void on_fd_events(std::uint32_t epoll_events) override;

 private:
  struct Replaced {
    int signal = 0;
    struct sigaction before {};
  };

  LoopCore* core_;
  std::function<void()> on_signal_;
  UniqueFd event_;
  std::array<Replaced, 2> replaced_;
};

}  // namespace nearcall::detail
