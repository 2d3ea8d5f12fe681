// SPDX-License-Identifier: Apache-2.0
// TimerQueue: order, removal from the middle, and a random run against a sorted reference.
#include "async/timer_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

void ignore(void* /*argument*/) noexcept {
}

TimePoint at(std::int64_t milliseconds) {
  return TimePoint(std::chrono::milliseconds(milliseconds));
}

TEST(TimerQueue, EmptyHasNoDeadline) {
  TimerQueue queue;

  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.next_deadline(), no_deadline);
  EXPECT_EQ(queue.pop_due(no_deadline), nullptr);
}

TEST(TimerQueue, PopsWhatIsDueInOrderAndNothingElse) {
  TimerQueue queue;
  TimerNode late(ignore, nullptr);
  TimerNode early(ignore, nullptr);
  TimerNode future(ignore, nullptr);
  queue.set(late, at(20));
  queue.set(early, at(10));
  queue.set(future, at(30));

  EXPECT_EQ(queue.next_deadline(), at(10));
  EXPECT_EQ(queue.pop_due(at(20)), &early);
  EXPECT_EQ(queue.pop_due(at(20)), &late);
  EXPECT_EQ(queue.pop_due(at(20)), nullptr);
  EXPECT_TRUE(future.is_set());
  queue.clear(future);
}

TEST(TimerQueue, EqualDeadlinesFireInTheOrderInWhichTheyWereSet) {
  TimerQueue queue;
  std::vector<std::unique_ptr<TimerNode>> nodes;
  for (int index = 0; index < 20; ++index) {
    nodes.push_back(std::make_unique<TimerNode>(ignore, nullptr));
    queue.set(*nodes.back(), at(5));
  }

  for (const auto& node : nodes)
    EXPECT_EQ(queue.pop_due(at(5)), node.get());
}

TEST(TimerQueue, SettingASetNodeMovesIt) {
  TimerQueue queue;
  TimerNode moved(ignore, nullptr);
  TimerNode other(ignore, nullptr);
  queue.set(moved, at(10));
  queue.set(other, at(20));

  queue.set(moved, at(30));

  EXPECT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue.pop_due(at(30)), &other);
  EXPECT_EQ(queue.pop_due(at(30)), &moved);
}

TEST(TimerQueue, AgreesWithASortedSetOverARandomRun) {
  TimerQueue queue;
  std::vector<std::unique_ptr<TimerNode>> nodes;
  for (int index = 0; index < 100; ++index) {
    nodes.push_back(std::make_unique<TimerNode>(ignore, nullptr));
  }
  std::vector<TimePoint> deadlines(nodes.size());
  std::set<std::pair<TimePoint, std::size_t>> reference;
  std::mt19937 random(7);
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t index = random() % nodes.size();
    reference.erase({deadlines[index], index});
    if (random() % 3 == 0) {
      queue.clear(*nodes[index]);
    } else {
      deadlines[index] = TimePoint(Duration(static_cast<std::int64_t>(random())));
      queue.set(*nodes[index], deadlines[index]);
      reference.emplace(deadlines[index], index);
    }
    ASSERT_EQ(queue.size(), reference.size());
    ASSERT_EQ(queue.next_deadline(), reference.empty() ? no_deadline : reference.begin()->first);
  }
  for (const auto& [deadline, index] : reference) {
    ASSERT_EQ(queue.pop_due(no_deadline), nodes[index].get());
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail
