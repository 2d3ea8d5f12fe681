// SPDX-License-Identifier: Apache-2.0
// ChildProcess: a part of a test that runs in a process of its own.
#pragma once

#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <functional>

namespace nearcall::test {

/// A forked child that runs a function and exits with what it returned. No destructor outside of
/// the function runs in it, and googletest's assertions there are not seen: return a number.
/// Thread safety: none. Make it while the test has one thread.
class ChildProcess {
 public:
  explicit ChildProcess(const std::function<int()>& body);
  /// Kills it if it still runs.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  /// Waits for its end: its exit status, or 128 + the signal that ended it. Once.
  int wait();
  /// SIGKILL, and waits.
  void kill();

 private:
  pid_t pid_;
};

/// A child that has ended, and that nobody has asked about yet: it exits until it is reaped.
class Zombie {
 public:
  Zombie();
  pid_t pid() const noexcept { return child_.pid(); }
  void reap() { child_.wait(); }

 private:
  ChildProcess child_;
};

/// Lets one process wait for another: made before the fork, raised on one side, awaited on the
/// other. A side that dies wakes the other up as well (with false).
class ProcessSignal {
 public:
  ProcessSignal();

  /// Ends one wait().
  void raise() noexcept;
  /// Blocks until raise(); false if nobody is left who could.
  bool wait() noexcept;
  /// The same for `seconds` at most; false too if they passed.
  bool wait_for(int seconds) noexcept;
  /// This process will not raise it. Call it in the process that waits.
  void leave_raising_to_others() noexcept { write_.reset(); }

 private:
  detail::UniqueFd read_;
  detail::UniqueFd write_;
};

}  // namespace nearcall::test
