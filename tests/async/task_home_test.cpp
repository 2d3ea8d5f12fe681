// SPDX-License-Identifier: Apache-2.0
// TaskHome: who may have to destroy a tree of tasks waits while it is on another thread.
#include "async/loop_core.hpp"
#include "async/runnable.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/log.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// A tree of tasks that starts on a loop, and its owner.
class TaskHomeTest : public testing::Test {
 protected:
  class Ended final : public Runnable {
   public:
    void run() noexcept override { ++calls; }
    int calls = 0;
  };

  ~TaskHomeTest() override { go_on_.release(100); }

  /// Starts `task` on the loop.
  void start(Task<void> task) {
    task_ = std::move(task);
    const LoopCore::Entry entry(Access::core(loop_));
    detail::start(task_, &TaskHomeTest::on_done, this, &home_);
  }
  static void on_done(void* self) noexcept {
    auto& test = *static_cast<TaskHomeTest*>(self);
    if (test.home_.is_here()) return test.ended_.run();
    test.home_.post_back(test.ended_);
  }
  /// What an owner does that does not want to wait for the end.
  void destroy(std::chrono::nanoseconds quiet_wait = std::chrono::minutes(1)) {
    home_.await_return(quiet_wait);
    task_ = Task<void>();
  }

  static Task<void> work_on(ThreadPool& pool, TaskHomeTest& test) {
    co_await resume_on(pool);
    test.arrived_.release();
    test.go_on_.acquire();
    test.has_worked_ = true;
  }
  static Task<void> go_and_return(ThreadPool& pool, TaskHomeTest& test) {
    co_await work_on(pool, test);
    co_await resume_on(test.loop_);
    test.has_returned_ = true;
  }

  std::counting_semaphore<200> arrived_{0};
  std::counting_semaphore<200> go_on_{0};
  std::atomic<bool> has_worked_{false};
  std::atomic<bool> has_returned_{false};
  EventLoop loop_;
  ThreadPool pool_{1};
  TaskHome home_{Access::core(loop_)};
  Ended ended_;
  Task<void> task_;
};

Task<void> stay(EventLoop& loop) {
  co_await resume_on(loop);
  co_await sleep_for(std::chrono::hours(1));
}

TEST_F(TaskHomeTest, ATreeThatNeverLeftIsAtHome) {
  start(stay(loop_));

  destroy();

  EXPECT_EQ(ended_.calls, 0);
}

TEST_F(TaskHomeTest, ATreeThatRunsElsewhereIsWaitedFor) {
  start(go_and_return(pool_, *this));
  arrived_.acquire();
  std::thread later([this] { go_on_.release(); });

  destroy();

  EXPECT_TRUE(has_worked_) << "its child was, to be exact";
  EXPECT_FALSE(has_returned_) << "it was destroyed where it waited for the loop";
  later.join();
  loop_.poll();
}

TEST_F(TaskHomeTest, ATreeThatWaitsForAThreadIsTakenBack) {
  ASSERT_TRUE(pool_.try_post([this] {
    arrived_.release();
    go_on_.acquire();
  }));
  arrived_.acquire();
  start(go_and_return(pool_, *this));

  destroy();

  EXPECT_FALSE(has_worked_);
}

TEST_F(TaskHomeTest, WhoeverDoesNotWaitHearsWhetherItIsElsewhere) {
  start(stay(loop_));
  EXPECT_FALSE(home_.is_elsewhere()) << "it never left";
  task_ = Task<void>();
  start(work_on(pool_, *this));
  arrived_.acquire();

  EXPECT_TRUE(home_.is_elsewhere());

  go_on_.release();
  while (ended_.calls == 0)
    loop_.poll();
  EXPECT_FALSE(home_.is_elsewhere());
}

TEST_F(TaskHomeTest, ATreeInAQueueIsNotElsewhereAndStaysThere) {
  ASSERT_TRUE(pool_.try_post([this] {
    arrived_.release();
    go_on_.acquire();
  }));
  arrived_.acquire();
  start(work_on(pool_, *this));

  EXPECT_FALSE(home_.is_elsewhere());

  go_on_.release(2);
  while (ended_.calls == 0)
    loop_.poll();
  EXPECT_TRUE(has_worked_);
}

TEST_F(TaskHomeTest, ATreeThatEndsElsewhereIsBroughtHome) {
  start(work_on(pool_, *this));
  arrived_.acquire();
  go_on_.release();
  home_.await_return();
  EXPECT_EQ(ended_.calls, 0) << "not before the loop turns";

  loop_.poll();

  EXPECT_EQ(ended_.calls, 1);
}

TEST_F(TaskHomeTest, MayGoFromOneThreadToTheNext) {
  const auto travel = [](ThreadPool& first, ThreadPool& second, TaskHomeTest& test) -> Task<void> {
    co_await resume_on(first);
    co_await resume_on(second);
    co_await go_and_return(first, test);
  };
  ThreadPool second(1);
  start(travel(pool_, second, *this));
  arrived_.acquire();
  go_on_.release();

  while (ended_.calls == 0)
    loop_.poll();

  EXPECT_TRUE(has_returned_);
  destroy();
}

TEST_F(TaskHomeTest, ATreeInTheQueueOfALoopThatGoesIsWaitedForNoMore) {
  std::optional<EventLoop> other(std::in_place);
  start(stay(*other));
  other.reset();

  destroy();

  EXPECT_EQ(ended_.calls, 0);
}

TEST_F(TaskHomeTest, WhoeverWaitsLongSaysSo) {
  std::string said;
  set_log_handler([&](LogLevel, std::string_view line) {
    said = line;
    go_on_.release();
  });
  start(go_and_return(pool_, *this));
  arrived_.acquire();

  destroy(/*quiet_wait=*/std::chrono::nanoseconds(0));

  set_log_handler({});
  EXPECT_EQ(said.find("waiting for what runs on another thread; it was cancelled"), 0U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
