// SPDX-License-Identifier: Apache-2.0
// TaskScope: what it started ends with it, wherever it waits.
#include "support/misuse.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>

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

testing::Matcher<const std::string&> names_the_thread() {
  return test::ends_with_sentence(
      "TaskScope: used, or destroyed with tasks in it, on a thread that does not run its "
      "EventLoop; co_await resume_on(loop) first");
}

/// What is natural, and wrong: a task goes to a pool, and goes on with a scope there.
template <class Use>
void use_on_a_pool(Use use) {
  ThreadPool pool(1);
  const auto run = [](ThreadPool& where, Use use_it) -> Task<> {
    TaskScope scope;
    scope.spawn(keep(std::make_shared<int>()));
    co_await resume_on(where);
    use_it(scope);
  };
  sync_wait(run(pool, use));
}

TEST(TaskScopeDeathTest, RefusesToBeUsedOnAThreadOfAPool) {
  EXPECT_DEATH(use_on_a_pool([](TaskScope& scope) { scope.spawn(keep(std::make_shared<int>())); }),
               names_the_thread());
  EXPECT_DEATH(use_on_a_pool([](TaskScope& scope) { scope.cancel(); }), names_the_thread());
  EXPECT_DEATH(use_on_a_pool([](TaskScope&) {}), names_the_thread())
      << "destroyed with a task in it";
}

TEST(TaskScopeDeathTest, RefusesToBeJoinedOnAThreadOfAPool) {
  const auto join_there = [](ThreadPool& where) -> Task<> {
    TaskScope scope;
    co_await resume_on(where);
    co_await scope.join();
  };

  EXPECT_DEATH(
      {
        ThreadPool own(1);
        sync_wait(join_there(own));
      },
      names_the_thread());
}

/// On a thread of the program's own, while the scope's loop runs on this one.
template <class Use>
void use_beside_the_loop(Use use) {
  EventLoop loop;
  std::optional<TaskScope> scope(std::in_place, loop);
  scope->spawn(keep(std::make_shared<int>()));
  loop.post([&] { std::thread([&] { use(scope); }).join(); });
  loop.poll();
}

TEST(TaskScopeDeathTest, RefusesAThreadOfTheProgramWhileItsLoopRunsOnAnother) {
  using Scope = std::optional<TaskScope>;
  EXPECT_DEATH(
      use_beside_the_loop([](Scope& scope) { scope->spawn(keep(std::make_shared<int>())); }),
      names_the_thread());
  EXPECT_DEATH(use_beside_the_loop([](Scope& scope) { scope->cancel(); }), names_the_thread());
  EXPECT_DEATH(use_beside_the_loop([](Scope& scope) { scope.reset(); }), names_the_thread())
      << "destroyed with a task in it";
}

TEST(TaskScopeDeathTest, RefusesAThreadOfAPoolThoughNobodyRunsItsLoopNow) {
  EventLoop loop;
  loop.poll();
  TaskScope scope(loop);
  const auto spawn_there = [](ThreadPool& where, TaskScope& there) -> Task<> {
    co_await resume_on(where);
    there.spawn(keep(std::make_shared<int>()));
  };

  EXPECT_DEATH(
      {
        ThreadPool own(1);
        sync_wait(spawn_there(own, scope));
      },
      names_the_thread());
}

TEST(TaskScopeDeathTest, RefusesAThreadOfAnotherLoop) {
  EventLoop loop;
  TaskScope scope(loop);
  const auto spawn_there = [](TaskScope& there) -> Task<> {
    there.spawn(keep(std::make_shared<int>()));
    co_return;
  };

  EXPECT_DEATH(sync_wait(spawn_there(scope)), names_the_thread());
}

TEST(TaskScope, IsForALoopThatAThreadOfAPoolRunsItself) {
  int count = 0;
  std::binary_semaphore done{0};
  ThreadPool pool(1);
  ASSERT_TRUE(pool.try_post([&] {
    EventLoop loop;
    TaskScope scope(loop);
    for (int round = 0; round < 2; ++round) {  // before it runs, and between
      scope.spawn(count_after(0us, count));
      while (!scope.empty())
        loop.poll();
    }
    done.release();
  }));

  done.acquire();

  EXPECT_EQ(count, 2);
}

TEST(TaskScope, MayBeUsedInsideOfALoopThatIsPolledInItsOwn) {
  EventLoop outer;
  EventLoop inner;
  const auto token = std::make_shared<int>();
  auto scope = std::make_unique<TaskScope>(outer);
  outer.post([&] {
    inner.post([&] {
      scope->spawn(keep(token));
      scope->cancel();
      scope->spawn(keep(token));
      scope.reset();
    });
    inner.poll();
  });

  outer.poll();

  EXPECT_EQ(scope, nullptr);
  EXPECT_EQ(token.use_count(), 1);
}

TEST(TaskScope, MayBeDestroyedInATaskOfAnotherLoopOnceNobodyRunsItsOwn) {
  EventLoop loop;
  const auto token = std::make_shared<int>();
  auto scope = std::make_unique<TaskScope>(loop);
  scope->spawn(keep(token));
  loop.poll();
  const auto drop = [](std::unique_ptr<TaskScope> dropped) -> Task<> {
    dropped.reset();
    co_return;
  };

  sync_wait(drop(std::move(scope)));

  EXPECT_EQ(token.use_count(), 1);
}

TEST(TaskScope, MayBeDestroyedOnAThreadOfAPoolOnceItIsEmpty) {
  ThreadPool pool(1);
  const auto run = [](ThreadPool& where) -> Task<bool> {
    int count = 0;
    TaskScope scope;
    scope.spawn(count_after(1us, count));
    co_await scope.join();
    co_await resume_on(where);
    co_return count == 1;
  };

  EXPECT_TRUE(sync_wait(run(pool)));
}

}  // namespace
}  // namespace nearcall
