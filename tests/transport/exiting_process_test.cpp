// SPDX-License-Identifier: Apache-2.0
// Which processes run, which exit, and how long somebody waits for that.
#include "transport/exiting_process.hpp"

#include "support/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using test::ChildProcess;
using test::ProcessSignal;
using test::Zombie;

TEST(ProcessState, OfThisOneIsToRun) {
  EXPECT_EQ(process_state(::getpid()), ProcessState::runs);
  EXPECT_EQ(process_state(1), ProcessState::runs) << "a process of another user, perhaps";
}

TEST(ProcessState, OfNobodyIsToRun) {
  EXPECT_EQ(process_state(0), ProcessState::runs);
}

TEST(ProcessState, OfOneThatHasEndedIsToExitUntilItIsReaped) {
  Zombie zombie;
  EXPECT_EQ(process_state(zombie.pid()), ProcessState::exits);
  const pid_t pid = zombie.pid();

  zombie.reap();

  EXPECT_EQ(process_state(pid), ProcessState::gone);
}

TEST(ProcessState, OfOneThatWasKilledIsNotToRunFromThatMomentOn) {
  for (int i = 0; i < 50; ++i) {
    ChildProcess child([] { return ProcessSignal().wait() ? 1 : 0; });

    ::kill(child.pid(), SIGKILL);

    ASSERT_NE(process_state(child.pid()), ProcessState::runs) << i;
  }
}

TEST(ExitWait, IsForNoProcessThatRuns) {
  ExitWait wait(1h);

  EXPECT_FALSE(wait.wait_for(::getpid()));
  EXPECT_FALSE(wait.wait_for(0));
}

TEST(ExitWait, LastsWhileAProcessExitsAndOneTryLonger) {
  Zombie zombie;
  const pid_t pid = zombie.pid();
  ExitWait wait(1h);
  EXPECT_TRUE(wait.wait_for(pid));
  EXPECT_TRUE(wait.wait_for(pid));
  zombie.reap();

  EXPECT_TRUE(wait.wait_for(pid));
  EXPECT_FALSE(wait.wait_for(pid));
}

TEST(ExitWait, WithoutTimeItOnlyTriesAgainWhereTheProcessHasGone) {
  Zombie zombie;
  const pid_t pid = zombie.pid();
  ExitWait wait(0s);
  EXPECT_FALSE(wait.wait_for(pid));
  zombie.reap();
  EXPECT_TRUE(wait.saw_exiting()) << "as it was when it gave up";

  EXPECT_TRUE(wait.wait_for(pid));
  EXPECT_FALSE(wait.wait_for(pid));
  EXPECT_FALSE(wait.saw_exiting());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
