// SPDX-License-Identifier: Apache-2.0
// spawn() and sync_wait(): who owns, who drives, where it ends.
#include "async/loop_core.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/log.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

Task<int> ready(int value) {
  co_return value;
}

Task<std::unique_ptr<int>> slow_box(int value) {
  co_await sleep_for(1ms);
  co_return std::make_unique<int>(value);
}

Task<int> failing() {
  co_await sleep_for(1ms);
  throw std::runtime_error("broken");
}

int lowest_free_descriptor() {
  const int fd = ::fcntl(0, F_DUPFD_CLOEXEC, 0);
  ::close(fd);
  return fd;
}

Task<int> look_at_descriptors() {
  co_return lowest_free_descriptor();
}

TEST(SyncWait, ReturnsWhatTheTaskReturned) {
  EXPECT_EQ(sync_wait(ready(42)), 42);
  EXPECT_EQ(*sync_wait(slow_box(7)), 7);
}

TEST(SyncWait, ThrowsWhatLeftTheTask) {
  EXPECT_THROW(sync_wait(failing()), std::runtime_error);
}

TEST(SyncWait, TaskThatNeverSuspendsOpensNoDescriptor) {
  const int before = lowest_free_descriptor();

  EXPECT_EQ(sync_wait(look_at_descriptors()), before);
}

Task<> sync_wait_inside() {
  sync_wait(ready(1));
  co_return;
}

TEST(SyncWaitDeathTest, InsideOfALoopStopsTheProgram) {
  EXPECT_DEATH(sync_wait(sync_wait_inside()), "co_await the task");
}

/// Records the loop's state when it goes.
class Witness {
 public:
  explicit Witness(bool& gone) : gone_(&gone) {}
  Witness(Witness&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  Witness& operator=(Witness&&) = delete;
  ~Witness() {
    if (gone_ != nullptr) *gone_ = true;
  }

 private:
  bool* gone_;
};

Task<> forever(Witness) {
  co_await sleep_for(std::chrono::hours(10'000));
}

Task<> stop_current() {
  EventLoop::current()->stop();
  co_return;
}

Task<> leave_one_behind(bool& gone) {
  spawn(forever(Witness(gone)));
  co_await sleep_for(1ms);
}

TEST(Spawn, StartsTheTaskOnTheLoop) {
  EventLoop loop;
  spawn(loop, stop_current());

  loop.run();
}

TEST(Spawn, UnfinishedTaskGoesWithItsLoop) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, forever(Witness(gone)));
    loop.poll();
    EXPECT_FALSE(gone);
  }

  EXPECT_TRUE(gone);
}

TEST(Spawn, TaskThatNeverStartedGoesWithItsLoop) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, forever(Witness(gone)));
  }

  EXPECT_TRUE(gone);
}

TEST(Spawn, OnTheLoopOfSyncWaitEndsWithIt) {
  bool gone = false;

  sync_wait(leave_one_behind(gone));

  EXPECT_TRUE(gone);
}

Task<> spawn_from_the_end(Witness witness) {
  class SpawnAtTheEnd {
   public:
    explicit SpawnAtTheEnd(Witness given) : witness_(std::move(given)) {}
    SpawnAtTheEnd(const SpawnAtTheEnd&) = delete;
    SpawnAtTheEnd& operator=(const SpawnAtTheEnd&) = delete;
    ~SpawnAtTheEnd() { spawn(forever(std::move(witness_))); }

   private:
    Witness witness_;
  };
  const SpawnAtTheEnd guard(std::move(witness));
  co_await sleep_for(std::chrono::hours(10'000));
}

TEST(Spawn, TaskSpawnedWhileTheLoopGoesGoesToo) {
  bool gone = false;
  {
    EventLoop loop;
    spawn(loop, spawn_from_the_end(Witness(gone)));
    loop.poll();
  }

  EXPECT_TRUE(gone);
}

Task<> end_in(ThreadPool& pool, EventLoop& loop, int& left) {
  co_await resume_on(pool);
  loop.post([&loop, &left] {
    if (--left == 0) loop.stop();
  });
}

TEST(Spawn, TaskMayEndOnAnotherThread) {
  EventLoop loop;
  int left = 100;
  {
    ThreadPool pool(2);
    for (int index = 0; index < 100; ++index)
      spawn(loop, end_in(pool, loop, left));
    loop.run();
  }  // by now the last one has ended, too

  EXPECT_EQ(left, 0);
  loop.poll();
}

Task<> throw_out() {
  throw std::runtime_error("nobody catches this");
  co_return;
}

TEST(SpawnDeathTest, ExceptionThatLeavesTheTaskIsLoggedAndEndsTheProgram) {
  EventLoop loop;
  spawn(loop, throw_out());

  EXPECT_DEATH(loop.poll(), "an exception left a spawned task: nobody catches this");
}

TEST(SpawnDeathTest, WithoutALoopStopsTheProgram) {
  EXPECT_DEATH(spawn(stop_current()), "no EventLoop runs on this thread");
}

Task<> stay(EventLoop& loop, std::thread::id& there) {
  co_await resume_on(loop);
  there = std::this_thread::get_id();
}

TEST(ResumeOn, IsImmediateWhereTheTaskIsAlready) {
  EventLoop loop;
  std::thread::id there;
  spawn(loop, stay(loop, there));

  loop.poll();

  EXPECT_EQ(there, std::this_thread::get_id());
}

TEST(ResumeOn, TaskDestroyedOnItsWayNeverArrives) {
  EventLoop loop;
  std::thread::id there;
  {
    Task<> task = stay(loop, there);
    detail::start(
        task, [](void*) noexcept { ADD_FAILURE() << "it arrived"; }, nullptr);
  }

  loop.poll();

  EXPECT_EQ(there, std::thread::id());
}

TEST(ResumeOn, TaskMayOutliveTheLoopThatItWasOnItsWayTo) {
  auto loop = std::make_unique<EventLoop>();
  std::thread::id there;
  Task<> task = stay(*loop, there);
  detail::start(
      task, [](void*) noexcept { ADD_FAILURE() << "it arrived"; }, nullptr);

  loop.reset();
  task = Task<>();

  EXPECT_EQ(there, std::thread::id());
}

}  // namespace
}  // namespace nearcall
