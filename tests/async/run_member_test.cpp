// SPDX-License-Identifier: Apache-2.0
// RunMember: which function of its owner a queue calls.
#include "async/run_member.hpp"

#include "async/loop_core_fixture.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {

class RunMemberOwner {
 public:
  Runnable& work() noexcept { return work_; }
  Runnable& work_to_drop() noexcept { return work_to_drop_; }
  const std::string& calls() const noexcept { return calls_; }

 private:
  void go_on() noexcept { calls_ += "went on, "; }
  void destroy() { calls_ += "destroyed, "; }

  std::string calls_;
  RunMember<&RunMemberOwner::go_on> work_{*this};
  RunMember<&RunMemberOwner::go_on, &RunMemberOwner::destroy> work_to_drop_{*this};
};

namespace {

TEST(RunMember, IsCalledOnceATimeThatItIsQueued) {
  EventLoop loop;
  RunMemberOwner owner;
  for (int i = 0; i < 2; ++i) {
    Access::core(loop).post(owner.work());
    loop.poll();
    loop.poll();
  }

  EXPECT_EQ(owner.calls(), "went on, went on, ");
}

TEST(RunMember, OfAQueueThatGoesFirstCallsTheOtherFunctionWhereThereIsOne) {
  RunMemberOwner owner;
  {
    EventLoop loop;
    Access::core(loop).post(owner.work());
    Access::core(loop).post(owner.work_to_drop());
  }

  EXPECT_EQ(owner.calls(), "destroyed, ");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
