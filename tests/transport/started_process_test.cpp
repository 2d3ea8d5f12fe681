// SPDX-License-Identifier: Apache-2.0
// Children: how they are started, how their end is told, and that none stays.
#include "transport/started_process.hpp"

#include "support/child_process.hpp"
#include "support/open_descriptors.hpp"
#include "support/system_calls.hpp"
#include "support/temp_dir.hpp"
#include "transport/exiting_process.hpp"
#include "transport/started.hpp"

#include <nearcall/event_loop.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// What a child writes to its standard output.
class Output {
 public:
  Output() {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
    read_ = UniqueFd(fds[0]);
    write_ = UniqueFd(fds[1]);
  }
  /// A plan that leads its output here.
  ProcessPlan plan(std::string script) const {
    ProcessPlan plan = test::shell(std::move(script));
    plan.descriptors = {{write_.get(), STDOUT_FILENO}};
    return plan;
  }
  /// Waits for a line, or the end.
  std::string line() {
    write_.reset();
    std::string text;
    char c = 0;
    while (::read(read_.get(), &c, 1) == 1 && c != '\n')
      text += c;
    return text;
  }

 private:
  UniqueFd read_;
  UniqueFd write_;
};

bool is_there(pid_t process) {
  return ::kill(process, 0) == 0;
}

TEST(StartedProcess, TellsWithWhichStatusItExited) {
  EXPECT_EQ(test::end_of(*test::started("exit 3")), "the child exited with status 3");
}

TEST(StartedProcess, TellsWhichSignalKilledIt) {
  EXPECT_EQ(test::end_of(*test::started("kill -KILL $$")),
            "the child was killed by signal 9 (SIGKILL)");
}

TEST(StartedProcess, RunsUntilItEnds) {
  const auto process = test::started("exec sleep 1000");

  EXPECT_FALSE(process->end());
  EXPECT_FALSE(process->end_if_exiting());

  ASSERT_EQ(::kill(process->pid(), SIGTERM), 0);
  EXPECT_EQ(test::end_of(*process), "the child was killed by signal 15 (SIGTERM)");
}

TEST(StartedProcess, ThatCannotBeRunIsNamedWithTheReason) {
  const test::TempDir directory;
  const std::string no_program = directory.file("p");
  std::ofstream(no_program) << "exit 0\n";
  ASSERT_EQ(::chmod(no_program.c_str(), 0700), 0);
  const std::ptrdiff_t before = test::open_descriptors();
  const auto refusal = [](std::vector<std::string> command) {
    ProcessPlan plan;
    plan.command = std::move(command);
    const auto process = StartedProcess::start(plan, "x");
    return process ? std::string("it runs") : process.error().to_string();
  };

  EXPECT_EQ(refusal({"/nowhere/program", "--flag"}),
            "UNAVAILABLE: x: exec /nowhere/program: No such file or directory");
  EXPECT_EQ(refusal({"/etc/passwd"}), "UNAVAILABLE: x: exec /etc/passwd: Permission denied");
  EXPECT_EQ(refusal({no_program}), "UNAVAILABLE: x: exec " + no_program + ": Exec format error")
      << "no shell is asked";
  EXPECT_EQ(refusal({}), "INVALID_ARGUMENT: x: the command is empty");
  EXPECT_EQ(refusal({"a", std::string("b\0c", 3)}),
            "INVALID_ARGUMENT: x: the command contains a NUL byte");
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(StartedProcess, HasTheDescriptorsOfItsPlanAndNoOthers) {
  const UniqueFd open_on_exec(::fcntl(STDERR_FILENO, F_DUPFD, 20));
  ASSERT_GE(open_on_exec.get(), 0);
  ProcessPlan plan =
      test::shell("cd /proc/$$/fd && test ! -e " + std::to_string(open_on_exec.get()) +
                  " && test -e 2 && test -e 3 && test ! -e 4 && test $(readlink 0) = /dev/null");
  plan.descriptors = {{open_on_exec.get(), 3}, {-1, STDIN_FILENO}};

  const auto process = StartedProcess::start(plan, "x");

  ASSERT_TRUE(process);
  EXPECT_EQ(test::end_of(**process), "the child exited with status 0");
}

TEST(StartedProcess, BlocksAndIgnoresNoSignal) {
  sigset_t blocked{};
  sigset_t before{};
  ::sigfillset(&blocked);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);

  const auto process = test::started(
      "grep -Eq '^SigBlk:.*[[:space:]]0+$' /proc/self/status && "
      "grep -Eq '^SigIgn:.*[02468ace][0-9a-f]{3}$' /proc/self/status");  // SIGPIPE is bit 12

  EXPECT_EQ(test::end_of(*process), "the child exited with status 0");
  ::signal(SIGPIPE, handler);
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, nullptr), 0);
}

TEST(StartedProcess, ThatIgnoresSigtermIsKilledWithItsOwner) {
  Output output;
  ProcessPlan plan = output.plan("trap '' TERM; echo ready; while :; do sleep 1000; done");
  plan.has_group = true;
  auto process = StartedProcess::start(plan, "x");
  ASSERT_TRUE(process);
  ASSERT_EQ(output.line(), "ready");
  const pid_t pid = (*process)->pid();

  process->reset();

  EXPECT_FALSE(is_there(pid)) << "it was reaped, too";
}

TEST(StartedProcess, HasTimeToEndByItself) {
  Output output;
  ProcessPlan plan = output.plan("trap 'echo SIGTERM; exit' TERM; read line; echo done");
  std::array<int, 2> input{-1, -1};
  ASSERT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
  const UniqueFd theirs(input[0]);
  UniqueFd ours(input[1]);
  plan.descriptors.push_back({theirs.get(), STDIN_FILENO});
  plan.grace = 10s;
  auto process = StartedProcess::start(plan, "x");
  ASSERT_TRUE(process);

  ours.reset();  // what it waits for
  process->reset();

  EXPECT_EQ(output.line(), "done");
}

TEST(StartedProcess, HasLittleTimeWhereALoopWaitsForIt) {
  ProcessPlan plan = test::shell("exec sleep 1000");
  plan.grace = 1min;
  auto process = StartedProcess::start(plan, "x");
  ASSERT_TRUE(process);
  EventLoop loop;
  const auto before = std::chrono::steady_clock::now();

  loop.post([&] {
    process->reset();
    loop.stop();
  });
  loop.run();

  EXPECT_LT(std::chrono::steady_clock::now() - before, 30s);
}

TEST(StartedProcess, TakesItsGroupAlong) {
  Output output;
  ProcessPlan plan = output.plan("sleep 1000 & echo begun; exit 5");
  plan.has_group = true;
  const auto process = StartedProcess::start(plan, "x");
  ASSERT_TRUE(process);
  ASSERT_EQ(output.line(), "begun");

  EXPECT_EQ(test::end_of(**process), "the child exited with status 5");

  EXPECT_EQ(output.line(), "") << "nobody has the pipe any more";
}

TEST(StartedProcess, ThatHasLeftItsGroupIsEndedWithItsOwner) {
  Output output;
  ProcessPlan plan = output.plan({});
  plan.command = {"perl", "-e",
                  "setpgrp(0, getpgrp(getppid)) or die; $| = 1; print qq(left\\n); sleep 1000"};
  plan.has_group = true;
  auto process = StartedProcess::start(plan, "x");
  ASSERT_TRUE(process);
  ASSERT_EQ(output.line(), "left");
  const pid_t pid = (*process)->pid();

  process->reset();

  EXPECT_FALSE(is_there(pid));
}

/// /proc says that it exits, and it does not.
TEST(StartedProcess, WhoseMainThreadAloneHasEndedIsWaitedForOnce) {
  Output output;
  ProcessPlan plan = output.plan({});
  plan.command = {"python3", "-c",
                  "import ctypes, os, threading, time\n"
                  "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
                  "os.write(1, b'begun\\n')\n"
                  "ctypes.CDLL(None).pthread_exit(None)\n"};
  auto started = StartedProcess::start(plan, "x");
  ASSERT_TRUE(started);
  const std::shared_ptr<StartedProcess> process = *std::move(started);
  ASSERT_EQ(output.line(), "begun");
  while (process_state(process->pid()) != ProcessState::exits)
    std::this_thread::yield();
  std::array<Duration, 6> took{};
  EventLoop loop;

  loop.post([&] {
    for (Duration& one : took) {
      const TimePoint before = SteadyClock::now();
      EXPECT_FALSE(process->end_if_exiting());
      one = SteadyClock::now() - before;
    }
    loop.stop();
  });
  loop.run();

  EXPECT_GE(took[0], 200ms);
  EXPECT_LT(*std::min_element(took.begin() + 1, took.end()), 200ms) << "it is not waited for again";
}

/// Where SIGCHLD is ignored the kernel reaps it, and the number is free at once.
TEST(StartedProcess, ThatHasEndedBeforeItCanBeWatchedIsNotStarted) {
  test::ChildProcess child([] {
    ::signal(SIGCHLD, SIG_IGN);
    if (!test::answer_system_call(SYS_pidfd_open, test::fails_with(ESRCH))) {
      return test::no_seccomp;
    }
    const auto process = StartedProcess::start(test::shell("exit 3"), "x");
    return process.status().to_string() ==
                   "UNAVAILABLE: x: the child has ended, and somebody else knows how"
               ? 0
               : 1;
  });

  const int status = child.wait();

  if (status == test::no_seccomp) GTEST_SKIP() << "this kernel has no seccomp";
  EXPECT_EQ(status, 0);
}

TEST(StartedProcess, WhereSomebodyElseReapsHasEndedAllTheSame) {
  const auto handler = ::signal(SIGCHLD, SIG_IGN);

  const auto process = test::started("exec sleep 1000");

  ASSERT_EQ(::kill(process->pid(), SIGKILL), 0);
  EXPECT_EQ(test::end_of(*process), "the child has ended, and somebody else knows how");
  ::signal(SIGCHLD, handler);
}

TEST(StartedProcess, IsLeftAloneByAForkedChildOfItsOwner) {
  auto process = test::started("exec sleep 1000");
  test::ChildProcess fork([&process] {
    const bool is_unknown = !process->end() && !process->end_if_exiting();
    process.reset();
    return is_unknown ? 0 : 1;
  });

  EXPECT_EQ(fork.wait(), 0);

  EXPECT_FALSE(process->end());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
