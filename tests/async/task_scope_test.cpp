// SPDX-License-Identifier: Apache-2.0
// TaskScope: what it started ends with it, wherever it waits.
#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

Task<> count_after(std::chrono::nanoseconds pause, int& count) {
  co_await sleep_for(pause);
  ++count;
}

Task<> keep(std::shared_ptr<int> token) {
  co_await sleep_for(1h);
  ++*token;
}

TEST(TaskScope, JoinWaitsForAllThatWasSpawned) {
  const auto run = []() -> Task<int> {
    int count = 0;
    TaskScope scope;
    for (int index = 0; index < 10; ++index)
      scope.spawn(count_after(std::chrono::microseconds(100 * index), count));
    EXPECT_FALSE(scope.empty());
    co_await scope.join();
    EXPECT_TRUE(scope.empty());
    co_return count;
  };

  EXPECT_EQ(sync_wait(run()), 10);
}

TEST(TaskScope, JoinOfAnEmptyOneReturnsAtOnce) {
  const auto run = []() -> Task<bool> {
    TaskScope scope;
    co_await scope.join();
    co_return true;
  };

  EXPECT_TRUE(sync_wait(run()));
}

TEST(TaskScope, JoinWaitsForWhatATaskSpawnsToo) {
  const auto spawn_more = [](TaskScope& scope, int& count) -> Task<> {
    co_await sleep_for(100us);
    scope.spawn(count_after(100us, count));
  };
  const auto run = [](auto spawning) -> Task<int> {
    int count = 0;
    TaskScope scope;
    scope.spawn(spawning(scope, count));
    co_await scope.join();
    co_return count;
  };

  EXPECT_EQ(sync_wait(run(spawn_more)), 1);
}

TEST(TaskScope, DestroysWhatWaitsAndWhatNeverStarted) {
  EventLoop loop;
  const auto token = std::make_shared<int>();
  {
    TaskScope scope(loop);
    scope.spawn(keep(token));
    loop.poll();
    scope.spawn(keep(token));
    EXPECT_EQ(token.use_count(), 3);
  }
  EXPECT_EQ(token.use_count(), 1);

  loop.poll();

  EXPECT_EQ(*token, 0);
}

TEST(TaskScope, CancelEndsAJoin) {
  const auto run = [](std::shared_ptr<int> token) -> Task<long> {
    TaskScope scope;
    scope.spawn(keep(token));
    TaskScope joining;
    const auto join = [](TaskScope& joined) -> Task<> { co_await joined.join(); };
    joining.spawn(join(scope));
    co_await sleep_for(100us);
    scope.cancel();
    co_await joining.join();
    co_return token.use_count();
  };
  const auto token = std::make_shared<int>();

  EXPECT_EQ(sync_wait(run(token)), 2);
}

TEST(TaskScope, AJoinThatIsDestroyedWaitsNoMore) {
  EventLoop loop;
  int count = 0;
  TaskScope scope(loop);
  scope.spawn(count_after(1ms, count));
  {
    TaskScope joining(loop);
    const auto join = [](TaskScope& joined, int& joins) -> Task<> {
      co_await joined.join();
      joins += 100;
    };
    joining.spawn(join(scope, count));
    loop.poll();
  }

  while (!scope.empty())
    loop.poll();

  EXPECT_EQ(count, 1);
}

TEST(TaskScope, WaitsForATaskThatIsOnAThreadOfAPool) {
  ThreadPool pool(1);
  bool has_ended = false;
  const auto away = [](ThreadPool& where, bool& ended) -> Task<> {
    co_await resume_on(where);
    std::this_thread::yield();
    ended = true;
  };
  const auto run = [](auto start_away, ThreadPool& where, bool& ended) -> Task<> {
    TaskScope scope;
    scope.spawn(start_away(where, ended));
    co_await scope.join();
    EXPECT_TRUE(ended);
  };

  sync_wait(run(away, pool, has_ended));

  EXPECT_TRUE(has_ended);
}

TEST(TaskScopeDeathTest, NeedsALoop) {
  EXPECT_DEATH(TaskScope(), "this thread has no EventLoop");
}

}  // namespace
}  // namespace nearcall
