// SPDX-License-Identifier: Apache-2.0
// AsyncQueue: what goes in on any thread comes out once, in order, in a task.
#include "support/rounds.hpp"

#include <nearcall/async_queue.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall {
namespace {

using Box = std::unique_ptr<int>;

Task<> pop_all(AsyncQueue<Box>& queue, std::vector<int>& popped) {
  while (Box box = (co_await queue.pop()).value_or(nullptr))
    popped.push_back(*box);
  popped.push_back(-1);
}

Task<> push_one(AsyncQueue<Box>& queue, int value, std::vector<bool>& pushed) {
  Box box = std::make_unique<int>(value);
  const bool was_pushed = co_await queue.push(std::move(box));
  pushed.push_back(was_pushed);
}

class AsyncQueueTest : public testing::Test {
 protected:
  bool try_push(int value) { return queue_.try_push(std::make_unique<int>(value)); }
  /// Without a value: -1.
  int try_pop() { return *queue_.try_pop().value_or(std::make_unique<int>(-1)); }
  /// What was lost: -1 if nothing was.
  int push_evicting(int value) {
    return *queue_.push_evicting(std::make_unique<int>(value)).value_or(std::make_unique<int>(-1));
  }
  void spawn_popper() {
    tasks_.spawn(pop_all(queue_, popped_));
    loop_.poll();
  }
  void spawn_pusher(int value) {
    tasks_.spawn(push_one(queue_, value, pushed_));
    loop_.poll();
  }

  EventLoop loop_;
  AsyncQueue<Box> queue_{2};
  std::vector<int> popped_;
  std::vector<bool> pushed_;
  TaskScope tasks_{loop_};
};

TEST_F(AsyncQueueTest, GivesWhatWasPutInFirst) {
  EXPECT_TRUE(try_push(1));
  EXPECT_TRUE(try_push(2));
  EXPECT_EQ(queue_.size(), 2U);

  EXPECT_EQ(try_pop(), 1);
  EXPECT_EQ(try_pop(), 2);
  EXPECT_EQ(try_pop(), -1);
}

TEST_F(AsyncQueueTest, AFullOneLeavesTheValueAsItWas) {
  EXPECT_TRUE(try_push(1));
  EXPECT_TRUE(try_push(2));
  Box box = std::make_unique<int>(3);

  EXPECT_FALSE(queue_.try_push(std::move(box)));

  ASSERT_NE(box, nullptr);  // NOLINT(bugprone-use-after-move): that is the point
  EXPECT_EQ(*box, 3);
}

TEST_F(AsyncQueueTest, PopWaitsForAValue) {
  spawn_popper();
  EXPECT_TRUE(popped_.empty());

  EXPECT_TRUE(try_push(1));
  EXPECT_TRUE(try_push(2));
  loop_.poll();

  EXPECT_EQ(popped_, std::vector({1, 2}));
}

TEST_F(AsyncQueueTest, PushWaitsForRoomInItsTurn) {
  for (int value : {1, 2, 3, 4})
    spawn_pusher(value);
  EXPECT_EQ(pushed_.size(), 2U);

  EXPECT_EQ(try_pop(), 1);
  EXPECT_FALSE(try_push(5)) << "the room is that of the first who waited";
  loop_.poll();

  EXPECT_EQ(pushed_, std::vector({true, true, true}));
  EXPECT_EQ(try_pop(), 2);
  EXPECT_EQ(try_pop(), 3);
}

TEST_F(AsyncQueueTest, CloseEndsTheWaitForAValue) {
  spawn_popper();

  queue_.close();
  loop_.poll();

  EXPECT_TRUE(queue_.is_closed());
  EXPECT_EQ(popped_, std::vector({-1}));
}

TEST_F(AsyncQueueTest, CloseEndsTheWaitForRoom) {
  for (int value : {1, 2, 3})
    spawn_pusher(value);

  queue_.close();
  loop_.poll();

  EXPECT_EQ(pushed_, std::vector({true, true, false}));
}

TEST_F(AsyncQueueTest, WhatIsInAClosedOneCanBeTakenAndNothingMoreGoesIn) {
  EXPECT_TRUE(try_push(1));
  EXPECT_TRUE(try_push(2));

  queue_.close();
  EXPECT_FALSE(try_push(3));
  spawn_pusher(4);
  EXPECT_EQ(try_pop(), 1);
  spawn_popper();

  EXPECT_EQ(pushed_, std::vector({false}));
  EXPECT_EQ(popped_, std::vector({2, -1}));
}

TEST_F(AsyncQueueTest, AValueWhoseTaskIsDestroyedOnItsWayStaysInTheQueue) {
  spawn_popper();
  EXPECT_TRUE(try_push(1));

  tasks_.cancel();

  EXPECT_EQ(try_pop(), 1);
}

TEST_F(AsyncQueueTest, TheOldestGoesOutOfAFullOne) {
  EXPECT_EQ(push_evicting(1), -1);
  EXPECT_EQ(push_evicting(2), -1);

  EXPECT_EQ(push_evicting(3), 1);
  EXPECT_EQ(push_evicting(4), 2);

  EXPECT_EQ(queue_.size(), 2U);
  EXPECT_EQ(try_pop(), 3);
  EXPECT_EQ(try_pop(), 4);
  EXPECT_TRUE(try_push(5)) << "there is as much room as before";
  EXPECT_TRUE(try_push(6));
  EXPECT_FALSE(try_push(7));
}

TEST_F(AsyncQueueTest, WhoIsOnItsWayToTheOldestGetsTheNext) {
  spawn_popper();
  EXPECT_TRUE(try_push(1));  // the popper has a permit for it, and has not run
  EXPECT_TRUE(try_push(2));

  EXPECT_EQ(push_evicting(3), 1);
  loop_.poll();

  EXPECT_EQ(popped_, std::vector({2, 3}));
}

TEST_F(AsyncQueueTest, NothingIsEvictedFromAClosedOne) {
  EXPECT_TRUE(try_push(1));
  EXPECT_TRUE(try_push(2));
  queue_.close();

  EXPECT_EQ(push_evicting(3), 3);

  EXPECT_EQ(try_pop(), 1);
  EXPECT_EQ(try_pop(), 2);
  EXPECT_EQ(try_pop(), -1);
}

TEST_F(AsyncQueueTest, RoomThatIsPromisedIsNotTaken) {
  for (int value : {1, 2, 3, 4})
    spawn_pusher(value);
  EXPECT_EQ(try_pop(), 1);
  EXPECT_EQ(try_pop(), 2);  // 3 and 4 have the room, and have not run

  EXPECT_EQ(push_evicting(5), 5);
  loop_.poll();

  EXPECT_EQ(try_pop(), 3);
  EXPECT_EQ(try_pop(), 4);
}

Task<> count_pops(AsyncQueue<std::pair<int, int>>& queue,
                  std::vector<std::atomic<int>>& last,
                  std::atomic<int>& count) {
  while (true) {
    const std::optional<std::pair<int, int>> popped = co_await queue.pop();
    if (!popped) co_return;
    ++last[static_cast<std::size_t>(popped->first)];
    ++count;
  }
}

TEST(AsyncQueue, WhatIsEvictedIsLostAndNothingElse) {
  const int numbers = test::rounds(5'000, 500'000);
  for (const std::size_t capacity : {1U, 2U, 7U}) {
    AsyncQueue<std::pair<int, int>> queue(capacity);
    std::vector<std::atomic<int>> popped(1);
    std::atomic<int> count = 0;
    std::thread popping([&] { sync_wait(count_pops(queue, popped, count)); });

    int lost = 0;
    int last_lost = -1;
    for (int number = 0; number < numbers; ++number) {
      const std::optional<std::pair<int, int>> evicted = queue.push_evicting({0, number});
      if (!evicted) continue;
      ++lost;
      EXPECT_GT(evicted->second, last_lost) << "out of their order";
      EXPECT_LT(evicted->second, number) << "the newest, though nobody waits for room";
      last_lost = evicted->second;
    }
    queue.close();
    popping.join();

    EXPECT_EQ(count + lost, numbers) << "with room for " << capacity;
  }
}

Task<> push_numbers(AsyncQueue<std::pair<int, int>>& queue, int from, int numbers) {
  for (int number = 0; number < numbers; ++number) {
    const std::pair<int, int> value(from, number);
    co_await queue.push(value);
  }
}

TEST(AsyncQueue, WhatSeveralThreadsPutInSeveralLoopsTakeOut) {
  constexpr int pushers = 3;
  constexpr int poppers = 2;
  const int numbers = test::rounds(2'000, 200'000);
  AsyncQueue<std::pair<int, int>> queue(8);
  std::vector<std::atomic<int>> by_pusher(pushers);
  std::atomic<int> count = 0;

  std::vector<std::thread> popping;
  for (int index = 0; index < poppers; ++index)
    popping.emplace_back([&] { sync_wait(count_pops(queue, by_pusher, count)); });
  std::vector<std::thread> pushing;
  pushing.emplace_back([&] {
    for (int number = 0; number < numbers; ++number) {
      while (!queue.try_push({0, number}))
        std::this_thread::yield();
    }
  });
  for (int index = 1; index < pushers; ++index)
    pushing.emplace_back([&, index] { sync_wait(push_numbers(queue, index, numbers)); });
  for (std::thread& thread : pushing)
    thread.join();
  queue.close();
  for (std::thread& thread : popping)
    thread.join();

  EXPECT_EQ(count, pushers * numbers);
  for (const std::atomic<int>& of_one : by_pusher)
    EXPECT_EQ(of_one, numbers);
}

Task<bool> is_in_order(AsyncQueue<std::pair<int, int>>& queue, int pushers) {
  std::vector<int> next(static_cast<std::size_t>(pushers));
  while (true) {
    const std::optional<std::pair<int, int>> popped = co_await queue.pop();
    if (!popped) co_return true;
    if (popped->second != next[static_cast<std::size_t>(popped->first)]++) co_return false;
  }
}

TEST(AsyncQueue, WhatOneThreadPutInComesOutInItsOrder) {
  constexpr int pushers = 2;
  const int numbers = test::rounds(2'000, 200'000);
  AsyncQueue<std::pair<int, int>> queue(4);
  std::vector<std::thread> pushing;
  for (int index = 0; index < pushers; ++index)
    pushing.emplace_back([&, index] { sync_wait(push_numbers(queue, index, numbers)); });
  std::thread closing([&] {
    for (std::thread& thread : pushing)
      thread.join();
    queue.close();
  });

  EXPECT_TRUE(sync_wait(is_in_order(queue, pushers)));
  closing.join();
}

TEST(AsyncQueueDeathTest, NeedsRoomForOne) {
  EXPECT_DEATH(AsyncQueue<int>(0), "its capacity is 0");
}

TEST(AsyncQueueDeathTest, IsNotAwaitedWhereNoLoopCouldResumeIt) {
  const auto pop_on_a_plain_thread = [] {
    AsyncQueue<int> queue(1);
    Task<std::optional<int>> popping = queue.pop();
    detail::start(
        popping, [](void*) noexcept {}, nullptr);
  };

  EXPECT_DEATH(pop_on_a_plain_thread(), "AsyncQueue: .* resume_on\\(loop\\) first");
}

}  // namespace
}  // namespace nearcall
