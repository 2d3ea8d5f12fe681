// SPDX-License-Identifier: Apache-2.0
// Which processes live, which die, and how long somebody waits for that.
#include "transport/dying_process.hpp"

#include "support/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::ProcessSignal;

/// A child that has ended, and that nobody has asked about yet.
class Zombie {
 public:
  Zombie() {
    siginfo_t info{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child_.pid()), &info, WEXITED | WNOWAIT), 0);
  }
  pid_t pid() const noexcept { return child_.pid(); }
  void reap() { child_.wait(); }

 private:
  ChildProcess child_{[] { return 0; }};
};

TEST(ProcessFate, OfOneThatRunsIsToLive) {
  EXPECT_EQ(fate_of(::getpid()), ProcessFate::lives);
  EXPECT_EQ(fate_of(1), ProcessFate::lives) << "a process of another user, perhaps";
}

TEST(ProcessFate, OfNobodyIsToLive) {
  EXPECT_EQ(fate_of(0), ProcessFate::lives);
}

TEST(ProcessFate, OfOneThatHasEndedIsToDieUntilItIsReaped) {
  Zombie zombie;
  EXPECT_EQ(fate_of(zombie.pid()), ProcessFate::dies);
  const pid_t pid = zombie.pid();

  zombie.reap();

  EXPECT_EQ(fate_of(pid), ProcessFate::gone);
}

TEST(ProcessFate, OfOneThatWasKilledIsNotToLiveFromThatMomentOn) {
  for (int i = 0; i < 50; ++i) {
    ChildProcess child([] { return ProcessSignal().wait() ? 1 : 0; });

    ::kill(child.pid(), SIGKILL);

    ASSERT_NE(fate_of(child.pid()), ProcessFate::lives) << i;
  }
}

TEST(DyingHolderWait, IsNoneForOneThatLives) {
  DyingHolderWait wait;

  EXPECT_FALSE(wait.wait_for(::getpid()));
  EXPECT_FALSE(wait.wait_for(0));
}

TEST(DyingHolderWait, LastsWhileTheHolderDiesAndOneTryLonger) {
  Zombie zombie;
  const pid_t pid = zombie.pid();
  DyingHolderWait wait;
  EXPECT_TRUE(wait.wait_for(pid));
  EXPECT_TRUE(wait.wait_for(pid));
  zombie.reap();

  EXPECT_TRUE(wait.wait_for(pid));
  EXPECT_FALSE(wait.wait_for(pid));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
