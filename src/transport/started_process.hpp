// SPDX-License-Identifier: Apache-2.0
// StartedProcess: a child that runs a program, told how it ended, and ended with its owner.
#pragma once

#include "base/clock.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"

#include <nearcall/result.hpp>

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace nearcall::inline v0::detail {

/// What to start, and what it gets.
struct ProcessPlan {
  /// A descriptor of ours (-1: /dev/null), and the number that the child gets it as.
  struct Descriptor {
    int ours;
    int theirs;
  };

  /// The program, which is looked for as by execvp(3), and its arguments.
  std::vector<std::string> command;
  /// Put in place in this order. Those that are not named are as ours up to 2; no others are there.
  std::vector<Descriptor> descriptors;
  /// Whether it leads a process group, which ends with it. The keys of a terminal do not reach it.
  bool has_group = false;
  /// How long it may take to end by itself, and again after SIGTERM.
  Duration grace{};
};

/// A child that runs a program. It goes with its owner: what it does not end by itself, SIGTERM and
/// then SIGKILL do, and with it goes its group.
///
/// It is started with no signal blocked or ignored, and without a moment in which another thread's
/// child may inherit what is its own. PR_SET_PDEATHSIG, which belongs to the thread that starts it,
/// is not used: a child sees the end of this process by the end of what it reads.
///
/// In a forked child of this process it is left alone. Thread safety: any thread.
class StartedProcess {
 public:
  /// UNAVAILABLE with the program and the reason if it cannot be run; `subject` begins the message.
  static Result<std::shared_ptr<StartedProcess>> start(const ProcessPlan& plan,
                                                       const std::string& subject);
  StartedProcess(const StartedProcess&) = delete;
  StartedProcess& operator=(const StartedProcess&) = delete;
  /// Waits for its end, a bit longer than two graces at most; on a thread that runs an EventLoop,
  /// which others wait for meanwhile, a grace is 50 ms at most.
  ~StartedProcess();

  pid_t pid() const noexcept { return pid_; }
  /// Readable once it has ended.
  int fd() const noexcept { return pidfd_.get(); }
  /// How it has ended ("the child exited with status 3"); nothing while it runs. What is left of
  /// its group is killed.
  std::optional<std::error_code> end() noexcept;
  /// The same, after the end of what it had open: while it exits, that is the case already, and its
  /// end is waited for, once, for 2 s at most, on a loop for 200 ms.
  std::optional<std::error_code> end_if_exiting() noexcept;

 private:
  StartedProcess(pid_t pid, UniqueFd pidfd, const ProcessPlan& plan) noexcept
      : pid_(pid), pidfd_(std::move(pidfd)), has_group_(plan.has_group), grace_(plan.grace) {}
  /// Until it has ended; false after `most`.
  bool wait_for(Duration most) const noexcept;
  void signal(int number) const noexcept;
  std::error_code reap() noexcept;

  const ForkMark made_in_;
  const pid_t pid_;
  const UniqueFd pidfd_;
  const bool has_group_;
  const Duration grace_;
  /// It seems to exit, and does not: such as one whose main thread has ended.
  std::atomic<bool> was_waited_in_vain_ = false;
  std::mutex mutex_;
  /// Guarded by mutex_. Once it is there, the pid may be that of another process.
  std::optional<std::error_code> end_;
};

}  // namespace nearcall::inline v0::detail
