// SPDX-License-Identifier: Apache-2.0
// TurnQueue: the work of one source takes turns with that of others.
#include "async/turn_queue.hpp"

#include "async/loop_core_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using testing::ElementsAre;

/// What a turn does is in events_.
class TurnQueueTest : public LoopCoreTest {
 protected:
  /// Work that says its name, and takes `spent` of its turn.
  CallRunnable& work(const char* name, std::size_t spent = 0) {
    return all_work_.emplace_back([this, name, spent] {
      events_.emplace_back(name);
      core_.budget().spend(spent);
    });
  }
  std::vector<std::string> events_of_a_turn() {
    events_.clear();
    loop_.poll();
    return events_;
  }

  std::list<CallRunnable> all_work_;
};

TEST_F(TurnQueueTest, SourcesTakeTurnsHoweverMuchEachHas) {
  TurnQueue many(core_);
  TurnQueue few(core_);
  for (const char* const name : {"many 1", "many 2", "many 3"})
    many.push(work(name));
  few.push(work("few"));
  core_.schedule_next_turn(work("single"));

  EXPECT_THAT(events_of_a_turn(), ElementsAre("many 1", "few", "single", "many 2", "many 3"));
}

TEST_F(TurnQueueTest, WhatTheTurnHasNoRoomForWaitsBehindOtherSources) {
  TurnQueue many(core_);
  for (const char* const name : {"many 1", "many 2", "many 3"})
    many.push(work(name, TurnBudget::whole));
  core_.schedule_next_turn(work("single"));

  EXPECT_THAT(events_of_a_turn(), ElementsAre("many 1"));
  EXPECT_THAT(events_of_a_turn(), ElementsAre("single", "many 2"));
  EXPECT_THAT(events_of_a_turn(), ElementsAre("many 3"));
}

TEST_F(TurnQueueTest, WorkLeavesWhenItIsDestroyed) {
  TurnQueue queue(core_);
  {
    CallRunnable gone([&] { events_.emplace_back("gone"); });
    queue.push(gone);
  }
  queue.push(work("stays"));

  EXPECT_THAT(events_of_a_turn(), ElementsAre("stays"));
}

TEST_F(TurnQueueTest, WorkThatDestroysTheQueueIsNotTheLast) {
  auto queue = std::make_unique<TurnQueue>(core_);
  CallRunnable end([&] { queue.reset(); });
  queue->push(end);
  queue->push(work("after the end"));

  loop_.poll();

  EXPECT_THAT(events_of_a_turn(), ElementsAre("after the end"));
}

TEST_F(TurnQueueTest, WhatWaitsInAQueueThatGoesIsStillDone) {
  std::optional<TurnQueue> queue(core_);
  queue->push(work("first"));
  queue->push(work("second"));

  queue.reset();

  EXPECT_THAT(events_of_a_turn(), ElementsAre("first", "second"));
}

TEST_F(TurnQueueTest, TellsALoopAroundThisOneOfItsWork) {
  TurnQueue queue(core_);
  EXPECT_FALSE(is_readable());

  queue.push(work("now"));

  EXPECT_TRUE(is_readable());
  loop_.poll();
  EXPECT_FALSE(is_readable());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
