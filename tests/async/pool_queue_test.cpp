// SPDX-License-Identifier: Apache-2.0
// PoolQueue: shares of threads and of places, turns, and what is taken back.
#include "async/pool_queue.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Answer = PoolQueue::Answer;

constexpr PoolClient process(std::uint64_t id) {
  return {PoolClient::Kind::process, id};
}

class PoolQueueTest : public testing::Test {
 protected:
  struct Work final : PoolWork {
    void run() noexcept override {}
  };

  PoolWork& make() { return work_.emplace_back(); }
  /// How many of `count` pieces of work are taken.
  std::size_t add(PoolQueue& queue, PoolClient client, std::size_t count) {
    std::size_t taken = 0;
    while (taken < count && queue.try_add(make(), client) == Answer::taken)
      ++taken;
    return taken;
  }
  /// Begins all that has a thread; for whom, in that order.
  std::vector<PoolClient> begin_all(PoolQueue& queue) {
    std::vector<PoolClient> begun;
    for (PoolQueue::Next next = queue.next(); next.work != nullptr; next = queue.next()) {
      running_.push_back(next.share);
      begun.push_back(next.share->client);
    }
    return begun;
  }
  /// The oldest that runs ends.
  void end_one(PoolQueue& queue) {
    PoolQueue::Share* const share = running_.front();
    running_.pop_front();
    queue.end(*share);
  }

  std::list<Work> work_;
  std::list<PoolQueue::Share*> running_;
};

TEST_F(PoolQueueTest, AClientHasAtMostThreeTimesTheThreadsThatItLeavesFree) {
  PoolQueue queue(32, 1000);

  EXPECT_EQ(add(queue, process(1), 100), 100U);
  EXPECT_EQ(queue.ready(), 24U);
  add(queue, process(2), 100);
  EXPECT_EQ(queue.ready(), 30U) << "the second has three times what both leave";
  add(queue, process(3), 100);
  EXPECT_EQ(queue.ready(), 32U);
}

TEST_F(PoolQueueTest, OfOneThreadEachClientMayHaveIt) {
  PoolQueue queue(1, 10);

  EXPECT_EQ(add(queue, process(1), 2), 2U);

  EXPECT_EQ(begin_all(queue).size(), 1U);
  end_one(queue);
  EXPECT_EQ(begin_all(queue).size(), 1U);
}

TEST_F(PoolQueueTest, TheProgramsOwnWorkMayHaveAllThreads) {
  PoolQueue queue(4, 0);

  for (int i = 0; i < 6; ++i)
    queue.add(make());

  EXPECT_EQ(begin_all(queue).size(), 4U);
  EXPECT_EQ(queue.try_add(make(), process(1)), Answer::full);
  end_one(queue);
  end_one(queue);
  EXPECT_EQ(begin_all(queue).size(), 2U);
}

TEST_F(PoolQueueTest, AClientLeavesAQuarterOfThePlacesToOthers) {
  PoolQueue queue(4, 96);

  EXPECT_EQ(add(queue, process(1), 1000), 75U);
  EXPECT_EQ(queue.try_add(make(), process(1)), Answer::share_is_used);
  EXPECT_EQ(add(queue, process(2), 1), 1U);
  EXPECT_EQ(queue.ready(), 4U) << "and a thread";
}

TEST_F(PoolQueueTest, TheLastPlaceIsAnybodys) {
  PoolQueue queue(1, 1);
  ASSERT_EQ(add(queue, process(1), 2), 2U);

  EXPECT_EQ(queue.try_add(make(), process(2)), Answer::full);
}

TEST_F(PoolQueueTest, WhoWaitsBeginsWhenAnotherOneOfItsOwnEnds) {
  PoolQueue queue(4, 100);
  add(queue, process(1), 5);
  ASSERT_EQ(begin_all(queue).size(), 3U);

  end_one(queue);

  EXPECT_EQ(begin_all(queue).size(), 1U);
}

TEST_F(PoolQueueTest, WhoeverWaitsHasATurnAfterTheOther) {
  PoolQueue queue(1, 100);
  queue.add(make());
  add(queue, process(1), 3);
  add(queue, process(2), 2);
  begin_all(queue);
  std::vector<PoolClient> turns;
  for (int i = 0; i < 5; ++i) {
    end_one(queue);
    turns.push_back(begin_all(queue).at(0));
  }

  EXPECT_EQ(turns, (std::vector{process(1), process(2), process(1), process(2), process(1)}));
}

TEST_F(PoolQueueTest, WhoHasItsShareIsPassedOver) {
  PoolQueue queue(4, 100);
  add(queue, process(1), 6);
  ASSERT_EQ(begin_all(queue).size(), 3U);
  add(queue, process(2), 2);
  ASSERT_EQ(begin_all(queue), std::vector{process(2)});
  running_.push_front(running_.back());  // that of the second ends first
  running_.pop_back();

  end_one(queue);

  EXPECT_EQ(begin_all(queue), std::vector{process(2)}) << "the first waits for longer";
}

TEST_F(PoolQueueTest, WhatIsTakenBackGivesItsPlaceAndItsThread) {
  PoolQueue queue(1, 1);
  PoolWork& first = make();
  PoolWork& second = make();
  ASSERT_EQ(queue.try_add(first, process(1)), Answer::taken);
  ASSERT_EQ(queue.try_add(second, process(2)), Answer::taken);

  queue.remove(first);

  EXPECT_EQ(queue.next().work, &second);
  PoolWork& third = make();
  EXPECT_EQ(queue.try_add(third, process(3)), Answer::taken);
  queue.remove(third);
  EXPECT_EQ(queue.try_add(make(), process(4)), Answer::taken);
}

TEST_F(PoolQueueTest, EqualNumbersOfDifferentKindsAreDifferentClients) {
  PoolQueue queue(4, 0);
  ASSERT_EQ(add(queue, {PoolClient::Kind::process, 7}, 10), 3U);

  EXPECT_EQ(add(queue, {PoolClient::Kind::user, 7}, 10), 1U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
