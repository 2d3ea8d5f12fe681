// SPDX-License-Identifier: Apache-2.0
// SignalWatch: SIGINT and SIGTERM as an event of a loop.
#pragma once

#include "async/loop_core.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"

#include <array>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// In the handler of a signal: what would happen without it, where the default is to end the
/// process.
void die_of_signal(int number) noexcept;

/// SIGINT and SIGTERM are kept from the moment that it is made: the first one waits for attach(),
/// and is raised again if nobody attaches; a second one before that ends the program as ever.
/// Attached, it calls `on_signal` on the loop for each, as long as it lives; the third ends the
/// program, whether the loop turns or not.
///
/// Signals that the program handles or ignores itself are left to it, and so are those of processes
/// that it forks. One at a time in a process; a second one watches nothing. Thread safety: the
/// loop's thread, or while there is none, that of its owner.
class SignalWatch final : public FdWatcher {
 public:
  SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  ~SignalWatch();

  /// From now on, and for what came before. REQUIRES: once; `core` outlives this.
  void attach(LoopCore& core, UniqueFunction<void()> on_signal);

  void on_fd_events(std::uint32_t epoll_events) override;

 private:
  LoopCore* core_ = nullptr;
  UniqueFunction<void()> on_signal_;
  ForkMark fork_mark_;
  UniqueFd event_;
  /// The signals that it takes, which did what they do by default; 0 for one that it left.
  std::array<int, 2> replaced_{};
};

}  // namespace nearcall::inline v0::detail
