// SPDX-License-Identifier: Apache-2.0
// Semaphore: a permit for each, in the order in which they came.
#include "async/semaphore.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/task_scope.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace nearcall::inline v0::detail {
namespace {

class SemaphoreTest : public testing::Test {
 protected:
  static Task<> acquire(Semaphore& semaphore, int name, std::vector<int>& got) {
    co_await SemaphoreAwaiter(semaphore, "no loop");
    got.push_back(name);
  }
  void spawn_acquirer(TaskScope& scope, int name) {
    scope.spawn(acquire(semaphore_, name, got_));
    loop_.poll();
  }

  EventLoop loop_;
  Semaphore semaphore_{/*permits=*/1};
  std::vector<int> got_;
  TaskScope first_{loop_};
  TaskScope others_{loop_};
};

TEST_F(SemaphoreTest, AFreePermitIsTakenAtOnce) {
  spawn_acquirer(first_, 1);
  EXPECT_EQ(got_, std::vector({1}));

  EXPECT_FALSE(semaphore_.try_acquire());
}

TEST_F(SemaphoreTest, PermitsGoToTheWaitersInTheirOrder) {
  ASSERT_TRUE(semaphore_.try_acquire());
  for (int name : {1, 2, 3})
    spawn_acquirer(others_, name);
  EXPECT_TRUE(got_.empty());

  semaphore_.release();
  EXPECT_FALSE(semaphore_.try_acquire()) << "it has an owner, though that has not gone on yet";
  semaphore_.release();
  loop_.poll();

  EXPECT_EQ(got_, std::vector({1, 2}));
}

TEST_F(SemaphoreTest, ThePermitOfAWaiterThatIsDestroyedOnItsWayGoesToTheNext) {
  ASSERT_TRUE(semaphore_.try_acquire());
  spawn_acquirer(first_, 1);
  spawn_acquirer(others_, 2);

  semaphore_.release();
  first_.cancel();
  loop_.poll();

  EXPECT_EQ(got_, std::vector({2}));
}

TEST_F(SemaphoreTest, ThePermitOfTheLastWaiterThatIsDestroyedOnItsWayIsFree) {
  ASSERT_TRUE(semaphore_.try_acquire());
  spawn_acquirer(first_, 1);

  semaphore_.release();
  first_.cancel();

  EXPECT_TRUE(semaphore_.try_acquire());
}

TEST_F(SemaphoreTest, AnUnlimitedOneKeepsItsPermits) {
  semaphore_.set_unlimited(true);
  spawn_acquirer(first_, 1);
  spawn_acquirer(others_, 2);
  EXPECT_EQ(got_, std::vector({1, 2}));

  semaphore_.set_unlimited(false);

  EXPECT_TRUE(semaphore_.try_acquire());
  EXPECT_FALSE(semaphore_.try_acquire());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
