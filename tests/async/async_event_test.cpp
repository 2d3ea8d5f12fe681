// SPDX-License-Identifier: Apache-2.0
// AsyncEvent: tasks of several loops wait, any thread announces.
#include "support/rounds.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace nearcall {
namespace {

Task<> count_when_set(AsyncEvent& event, std::atomic<int>& count) {
  co_await event.wait();
  ++count;
}

class AsyncEventTest : public testing::Test {
 protected:
  void spawn_waiters(int number) {
    for (int index = 0; index < number; ++index)
      waiters_.spawn(count_when_set(event_, count_));
    loop_.poll();
  }

  EventLoop loop_;
  AsyncEvent event_;
  std::atomic<int> count_{0};
  TaskScope waiters_{loop_};
};

TEST_F(AsyncEventTest, ResumesAllWhoWait) {
  spawn_waiters(3);
  EXPECT_EQ(count_, 0);

  event_.set();
  EXPECT_EQ(count_, 0) << "not inside of set()";
  loop_.poll();

  EXPECT_EQ(count_, 3);
}

TEST_F(AsyncEventTest, IsPassedAtOnceWhileItIsSet) {
  event_.set();
  EXPECT_TRUE(event_.is_set());

  spawn_waiters(2);

  EXPECT_EQ(count_, 2);
}

TEST_F(AsyncEventTest, IsWaitedForAgainAfterReset) {
  event_.set();
  event_.reset();
  EXPECT_FALSE(event_.is_set());

  spawn_waiters(1);

  EXPECT_EQ(count_, 0);
}

TEST_F(AsyncEventTest, WhomItResumedGoesOnThoughItIsResetMeanwhile) {
  spawn_waiters(2);

  event_.set();
  event_.reset();
  loop_.poll();

  EXPECT_EQ(count_, 2);
}

TEST_F(AsyncEventTest, AWaiterThatIsDestroyedWaitsNoMore) {
  spawn_waiters(2);

  waiters_.cancel();
  event_.set();
  loop_.poll();

  EXPECT_EQ(count_, 0);
}

TEST_F(AsyncEventTest, AWaiterMayBeDestroyedOnItsWay) {
  spawn_waiters(2);

  event_.set();
  waiters_.cancel();
  loop_.poll();

  EXPECT_EQ(count_, 0);
}

TEST(AsyncEvent, ResumesTheWaitersOfSeveralLoopsFromAnyThread) {
  constexpr int loops = 3;
  const int rounds = test::rounds(200, 20'000);
  for (int round = 0; round < rounds; ++round) {
    AsyncEvent event;
    std::atomic<int> count = 0;
    std::vector<std::thread> threads;
    for (int index = 0; index < loops; ++index)
      threads.emplace_back([&] { sync_wait(count_when_set(event, count)); });
    threads.emplace_back([&] { event.set(); });
    for (std::thread& thread : threads)
      thread.join();
    EXPECT_EQ(count, loops);
  }
}

Task<> destroy_when_set(std::unique_ptr<AsyncEvent> event) {
  co_await event->wait();
}

TEST(AsyncEvent, MayBeDestroyedByWhomItResumed) {
  const int rounds = test::rounds(1'000, 100'000);
  for (int round = 0; round < rounds; ++round) {
    auto event = std::make_unique<AsyncEvent>();
    AsyncEvent& shared = *event;
    std::thread waiting([&event] { sync_wait(destroy_when_set(std::move(event))); });
    shared.set();
    waiting.join();
  }
}

TEST(AsyncEventDeathTest, IsNotAwaitedWhereNoLoopCouldResumeIt) {
  const auto wait_on_a_plain_thread = [] {
    AsyncEvent event;
    std::atomic<int> count = 0;
    Task<> waiting = count_when_set(event, count);
    detail::start(
        waiting, [](void*) noexcept {}, nullptr);
  };

  EXPECT_DEATH(wait_on_a_plain_thread(), "resume_on\\(loop\\) first");
}

TEST(AsyncEventDeathTest, IsNotDestroyedWhileSomebodyWaits) {
  const auto destroy_early = [] {
    EventLoop loop;
    std::atomic<int> count = 0;
    std::optional<AsyncEvent> event(std::in_place);
    spawn(loop, count_when_set(*event, count));
    loop.poll();
    event.reset();
  };

  EXPECT_DEATH(destroy_early(), "destroyed while a task waits for it");
}

}  // namespace
}  // namespace nearcall
