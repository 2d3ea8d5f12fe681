// SPDX-License-Identifier: Apache-2.0
// ThreadPool: bounds, the end, and tasks that move there.
#include "async/pool_core.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

namespace nearcall {
namespace {

TEST(ThreadPool, RunsEverythingBeforeItEnds) {
  std::atomic<int> count = 0;
  {
    ThreadPool pool(2);
    for (int index = 0; index < 100; ++index)
      EXPECT_TRUE(pool.try_post([&count] { ++count; }));
  }

  EXPECT_EQ(count, 100);
}

TEST(ThreadPool, CallsWhatCannotBeCopied) {
  std::atomic<int> seen = 0;
  {
    ThreadPool pool(1);
    EXPECT_TRUE(pool.try_post([&seen, held = std::make_unique<int>(7)] { seen = *held; }));
  }

  EXPECT_EQ(seen, 7);
}

TEST(ThreadPoolDeathTest, AnEmptyFunctionThatIsPostedStopsTheProgram) {
  ThreadPool pool(1);

  EXPECT_DEATH(static_cast<void>(pool.try_post(nullptr)), "the function is empty");
}

TEST(ThreadPool, StartsNoMoreThreadsThanItMay) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    ThreadPool pool(3);
    for (int index = 0; index < 100; ++index) {
      EXPECT_TRUE(pool.try_post([&] {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      }));
    }
  }

  EXPECT_GE(threads.size(), 1U);
  EXPECT_LE(threads.size(), 3U);
}

TEST(ThreadPool, StartsASecondThreadWhenTheFirstIsBusy) {
  std::latch both(2);
  ThreadPool pool(2);

  // Each waits for the other: on one thread this would never end.
  EXPECT_TRUE(pool.try_post([&] { both.arrive_and_wait(); }));
  EXPECT_TRUE(pool.try_post([&] { both.arrive_and_wait(); }));
  both.wait();
}

TEST(ThreadPool, RefusesWorkWhenItsQueueIsFull) {
  std::latch begun(1);
  std::latch go_on(1);
  ThreadPool pool(1, 2);
  ASSERT_TRUE(pool.try_post([&] {
    begun.count_down();
    go_on.wait();
  }));
  begun.wait();

  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_TRUE(pool.try_post([] {}));
  EXPECT_FALSE(pool.try_post([] {}));

  go_on.count_down();
}

/// Work that ends when it may.
class Held final : public detail::PoolWork {
 public:
  explicit Held(std::latch& go_on) noexcept : go_on_(&go_on) {}
  void run() noexcept override {
    begun_.count_down();
    go_on_->wait();
  }
  void wait_until_it_runs() { begun_.wait(); }

 private:
  std::latch* go_on_;
  std::latch begun_{1};
};

TEST(ThreadPool, WorkWaitsWhereAllThreadsAreBusyAndOnlyWithinTheBound) {
  std::latch go_on(1);
  Held first(go_on);
  Held second(go_on);
  Held third(go_on);
  Held fourth(go_on);
  ThreadPool pool(2, 1);
  const auto is_taken = [&pool](Held& work) {
    return detail::Access::core(pool).try_post(work, {detail::PoolClient::Kind::process, 1}) ==
           detail::PoolQueue::Answer::taken;
  };

  // Neither thread is there yet: these two have them, and do not count as waiting.
  EXPECT_TRUE(is_taken(first));
  EXPECT_TRUE(is_taken(second));
  EXPECT_TRUE(is_taken(third));
  EXPECT_FALSE(is_taken(fourth));
  first.wait_until_it_runs();
  second.wait_until_it_runs();
  EXPECT_FALSE(is_taken(fourth));
  EXPECT_TRUE(detail::Access::core(pool).cancel(third));
  EXPECT_TRUE(is_taken(fourth)) << "the place is free";

  go_on.count_down();
}

/// Tells when its thread ends.
struct ThreadEnd {
  std::latch* ended = nullptr;
  ~ThreadEnd() {
    if (ended != nullptr) ended->count_down();
  }
};

TEST(ThreadPool, WorkThatIsPostedWhileThePoolEndsRunsWithoutNewThreads) {
  std::latch both_run(2);
  std::latch one_has_ended(1);
  std::atomic<int> count = 0;
  {
    ThreadPool pool(8);
    ASSERT_TRUE(pool.try_post([&] {
      both_run.arrive_and_wait();
      one_has_ended.wait();  // so the pool is ending
      for (int index = 0; index < 4; ++index)
        EXPECT_TRUE(pool.try_post([&count] { ++count; }));
    }));
    ASSERT_TRUE(pool.try_post([&] {
      thread_local ThreadEnd end;
      end.ended = &one_has_ended;
      both_run.arrive_and_wait();
    }));
    both_run.wait();
  }

  EXPECT_EQ(count, 4);
}

Task<bool> move_to(ThreadPool& pool) {
  co_await resume_on(pool);
  co_return pool.is_in_this_thread();
}

TEST(ThreadPool, AForkedChildTakesNoWorkAndWaitsForNoThread) {
  std::optional<ThreadPool> pool(std::in_place, 1);
  std::latch ran(1);
  ASSERT_TRUE(pool->try_post([&ran] { ran.count_down(); }));
  ran.wait();

  EXPECT_EXIT(
      {
        bool is_taken = pool->try_post([] {});
        try {
          static_cast<void>(sync_wait(move_to(*pool)));
          is_taken = true;
        } catch (const std::system_error&) {  // it would wait for ever
        }
        pool.reset();
        std::_Exit(is_taken ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ThreadPool, TaskMovesThereAndMayEndThere) {
  ThreadPool pool(1);

  EXPECT_FALSE(pool.is_in_this_thread());
  EXPECT_TRUE(sync_wait(move_to(pool)));
}

TEST(ThreadPool, TaskDestroyedInTheQueueNeverRuns) {
  std::latch begun(1);
  std::latch go_on(1);
  ThreadPool pool(1);
  ASSERT_TRUE(pool.try_post([&] {
    begun.count_down();
    go_on.wait();
  }));
  begun.wait();
  std::optional<Task<bool>> task = move_to(pool);
  detail::start(
      *task, [](void*) noexcept { ADD_FAILURE() << "it ran"; }, nullptr);

  task.reset();

  go_on.count_down();
}

Task<int> ping_pong(EventLoop& first, EventLoop& second, ThreadPool& pool, int rounds) {
  int right = 0;
  for (int round = 0; round < rounds; ++round) {
    co_await resume_on(first);
    right += first.is_in_this_thread() ? 1 : 0;
    const bool in_pool = co_await move_to(pool);
    right += in_pool && pool.is_in_this_thread() ? 1 : 0;
    co_await resume_on(second);
    right += second.is_in_this_thread() ? 1 : 0;
  }
  co_return right;
}

TEST(ThreadPool, TaskGoesRoundBetweenTwoLoopsAndAPool) {
  EventLoop first;
  EventLoop second;
  ThreadPool pool(2);
  std::jthread first_thread([&] { first.run(); });
  std::jthread second_thread([&] { second.run(); });

  EXPECT_EQ(sync_wait(ping_pong(first, second, pool, 1000)), 3000);

  first.stop();
  second.stop();
}

TEST(ThreadPoolDeathTest, WithoutThreadsItSaysWhatToDo) {
  EXPECT_DEATH(ThreadPool(0), "max_threads is 0; ask for one");
}

}  // namespace
}  // namespace nearcall
