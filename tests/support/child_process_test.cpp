// SPDX-License-Identifier: Apache-2.0
// ChildProcess and ProcessSignal.
#include "support/child_process.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace nearcall::test {
namespace {

TEST(ChildProcess, ExitsWithWhatItsFunctionReturned) {
  const pid_t parent = ::getpid();
  ChildProcess child([parent] { return ::getppid() == parent ? 7 : 1; });

  EXPECT_EQ(child.wait(), 7);
}

TEST(ChildProcess, DeathBySignalIsTold) {
  ChildProcess child([] { return ::raise(SIGKILL); });

  EXPECT_EQ(child.wait(), 128 + SIGKILL);
}

TEST(ProcessSignal, CrossesProcesses) {
  ProcessSignal there;
  ProcessSignal back;
  ChildProcess child([&] {
    const bool was_raised = there.wait();
    back.raise();
    return was_raised ? 0 : 1;
  });

  there.raise();

  EXPECT_TRUE(back.wait());
  EXPECT_EQ(child.wait(), 0);
}

TEST(ProcessSignal, DeathOfTheOtherSideEndsTheWait) {
  ProcessSignal never;
  ChildProcess child([] { return 0; });
  never.leave_raising_to_others();

  EXPECT_FALSE(never.wait());
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace nearcall::test
