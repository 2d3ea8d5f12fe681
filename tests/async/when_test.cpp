// SPDX-License-Identifier: Apache-2.0
// when_all() and when_any(): of tasks that are ready, late, fail, or are cancelled.
#include <nearcall/async_event.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>
#include <nearcall/when.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

template <class T>
Task<T> give(T value, std::chrono::nanoseconds after = 0ns) {
  co_await sleep_for(after);
  co_return value;
}

Task<> set_after(std::chrono::nanoseconds pause, bool& flag) {
  co_await sleep_for(pause);
  flag = true;
}

Task<int> fail_after(std::chrono::nanoseconds pause, const char* what) {
  co_await sleep_for(pause);
  throw std::runtime_error(what);
}

/// Never ends; holds `token` while it lives.
Task<int> hang(std::shared_ptr<int> token) {
  co_await sleep_for(1h);
  co_return *token;
}

Task<std::thread::id> visit(ThreadPool& pool) {
  co_await resume_on(pool);
  co_return std::this_thread::get_id();
}

template <class Tasks>
std::string what_is_thrown(Task<Tasks> task) {
  try {
    static_cast<void>(sync_wait(std::move(task)));
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing";
}

TEST(WhenAll, GivesTheValuesInTheirOrderWhicheverEndsFirst) {
  const auto values = sync_wait(
      when_all(give(1, 200us), give(std::string("two")), give(std::make_unique<int>(3), 100us)));

  EXPECT_EQ(std::get<0>(values), 1);
  EXPECT_EQ(std::get<1>(values), "two");
  EXPECT_EQ(*std::get<2>(values), 3);
}

TEST(WhenAll, RunsItsTasksAtATime) {
  const auto run = [](std::chrono::nanoseconds pause) -> Task<std::chrono::nanoseconds> {
    const auto before = std::chrono::steady_clock::now();
    std::vector<Task<int>> tasks;
    for (int index = 0; index < 50; ++index)
      tasks.push_back(give(index, pause));
    const std::vector<int> values = co_await when_all(std::move(tasks));
    EXPECT_EQ(values.size(), 50U);
    EXPECT_EQ(values.back(), 49);
    co_return std::chrono::steady_clock::now() - before;
  };

  EXPECT_LT(sync_wait(run(20ms)), 50 * 20ms);
}

TEST(WhenAll, OfTasksWithoutAValueGivesNone) {
  bool first = false;
  bool second = false;
  sync_wait(when_all(set_after(0ns, first), set_after(100us, second)));
  EXPECT_TRUE(first && second);

  std::vector<Task<>> tasks;
  bool third = false;
  tasks.push_back(set_after(1us, third));
  sync_wait(when_all(std::move(tasks)));

  EXPECT_TRUE(third);
}

TEST(WhenAll, MixesTasksWithAndWithoutAValue) {
  bool flag = false;

  const auto values = sync_wait(when_all(set_after(1us, flag), give(7)));

  EXPECT_TRUE(flag);
  EXPECT_EQ(std::get<1>(values), 7);
}

TEST(WhenAll, OfNoTasksIsReadyAtOnce) {
  EXPECT_TRUE(sync_wait(when_all(std::vector<Task<int>>())).empty());
}

TEST(WhenAll, ThrowsTheFirstExceptionOnceAllHaveEnded) {
  bool flag = false;

  EXPECT_EQ(what_is_thrown(
                when_all(set_after(200us, flag), fail_after(100us, "one"), fail_after(0ns, "two"))),
            "one");

  EXPECT_TRUE(flag);
}

TEST(WhenAll, WaitsForTasksThatEndOnOtherThreads) {
  const auto run = [](ThreadPool& pool) -> Task<std::thread::id> {
    const auto ids = co_await when_all(visit(pool), visit(pool), give(1));
    EXPECT_NE(std::get<0>(ids), std::this_thread::get_id());
    co_return std::this_thread::get_id();
  };
  ThreadPool pool(2);

  EXPECT_EQ(sync_wait(run(pool)), std::this_thread::get_id()) << "and goes on where it was";
}

TEST(WhenAll, DestroyedWhereItWaitsDestroysItsTasks) {
  const auto wait_for_all = [](std::shared_ptr<int> token) -> Task<> {
    static_cast<void>(
        co_await when_all(hang(token), fail_after(0ns, "nobody asks any more"), hang(token)));
  };
  EventLoop loop;
  const auto token = std::make_shared<int>();
  TaskScope scope(loop);
  scope.spawn(wait_for_all(token));
  loop.poll();
  EXPECT_GT(token.use_count(), 2);

  scope.cancel();

  EXPECT_EQ(token.use_count(), 1);
}

TEST(WhenAny, GivesTheFirstAndDestroysTheOthers) {
  const auto run = [](std::shared_ptr<int> token) -> Task<long> {
    const auto first = co_await when_any(hang(token), give(std::string("quick"), 1us), hang(token));
    EXPECT_EQ(first.index(), 1U);
    EXPECT_EQ(std::get<1>(first), "quick");
    co_return token.use_count();
  };
  const auto token = std::make_shared<int>();

  EXPECT_EQ(sync_wait(run(token)), 2) << "this one and the parameter";
}

TEST(WhenAny, TellsTasksOfOneTypeApartByTheirIndex) {
  const auto first = sync_wait(when_any(give(1, 1h), give(2)));

  EXPECT_EQ(first.index(), 1U);
  EXPECT_EQ(std::get<1>(first), 2);
}

TEST(WhenAny, OfAVectorSaysWhichItWas) {
  std::vector<Task<int>> tasks;
  tasks.push_back(give(10, 1h));
  tasks.push_back(give(20, 1us));

  const auto [index, value] = sync_wait(when_any(std::move(tasks)));

  EXPECT_EQ(index, 1U);
  EXPECT_EQ(value, 20);
}

TEST(WhenAny, OfSeveralThatAreReadyGivesTheFirstInOrder) {
  EXPECT_EQ(std::get<0>(sync_wait(when_any(give(1), give(2)))), 1);
}

TEST(WhenAny, ThrowsWhatTheFirstThrewAndDropsWhatOthersThrew) {
  EXPECT_EQ(what_is_thrown(when_any(give(1, 1h), fail_after(0ns, "broken"))), "broken");
  EXPECT_EQ(what_is_thrown(when_any(give(1), fail_after(0ns, "broken"))), "nothing");
}

Task<> work_on(ThreadPool& pool, AsyncEvent& has_arrived, bool& has_worked) {
  co_await resume_on(pool);
  has_arrived.set();
  std::this_thread::yield();
  has_worked = true;
}

Task<> wait_for(AsyncEvent& event) {
  co_await event.wait();
}

TEST(WhenAny, WaitsForALoserThatIsOnAnotherThread) {
  const auto run = [](ThreadPool& pool, bool& has_worked) -> Task<bool> {
    AsyncEvent has_arrived;
    static_cast<void>(
        co_await when_any(work_on(pool, has_arrived, has_worked), wait_for(has_arrived)));
    co_return has_worked;
  };
  ThreadPool pool(1);
  bool has_worked = false;

  EXPECT_TRUE(sync_wait(run(pool, has_worked)));
}

TEST(WhenAny, ALongLoopOverReadyTasksKeepsTheStack) {
  const auto run = []() -> Task<int> {
    int sum = 0;
    for (int round = 0; round < 10'000; ++round) {
      const auto first = co_await when_any(give(1), give(2));
      sum += static_cast<int>(first.index());
    }
    co_return sum;
  };

  EXPECT_EQ(sync_wait(run()), 0);
}

TEST(WhenDeathTest, NeedsALoopAndATask) {
  const auto start_all = [] {
    bool flag = false;
    Task<> all = when_all(set_after(0ns, flag));
    detail::start(
        all, [](void*) noexcept {}, nullptr);
  };

  EXPECT_DEATH(start_all(), "when_all: awaited on a thread that has no EventLoop");
  EXPECT_DEATH(static_cast<void>(sync_wait(when_any(std::vector<Task<int>>()))),
               "when_any: there is no task");
}

}  // namespace
}  // namespace nearcall
