// SPDX-License-Identifier: Apache-2.0
// sync_wait(): what comes out of it, and what it takes.
#include "support/child_process.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/wait.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <thread>

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

Task<EventLoop*> own_loop() {
  co_await sleep_for(1us);
  co_return EventLoop::current();
}

TEST(SyncWait, AThreadKeepsItsLoop) {
  EventLoop* const kept = sync_wait(own_loop());
  EXPECT_EQ(sync_wait(own_loop()), kept);
  EXPECT_EQ(EventLoop::current(), nullptr) << "in between nobody can start what nobody drives";

  std::thread other([kept] { EXPECT_NE(sync_wait(own_loop()), kept); });

  other.join();
}

Task<int> descriptors_of_own_loop() {
  co_await sleep_for(1ms);  // the loop parks
  co_return lowest_free_descriptor();
}

TEST(SyncWait, TheLoopAndItsDescriptorsEndWithTheThread) {
  sync_wait(descriptors_of_own_loop());
  const int before = lowest_free_descriptor();
  std::thread other([before] { EXPECT_GT(sync_wait(descriptors_of_own_loop()), before); });

  other.join();

  EXPECT_EQ(lowest_free_descriptor(), before);
}

Task<> sleep_with(std::shared_ptr<int> token) {
  co_await sleep_for(1h);
  ++*token;
}

Task<> leave_tasks_behind(std::shared_ptr<int> token) {
  spawn(sleep_with(token));
  co_await sleep_for(1us);
  spawn(sleep_with(token));  // that never starts
}

TEST(SyncWait, DestroysTheTasksThatWereSpawnedMeanwhile) {
  const auto token = std::make_shared<int>();

  sync_wait(leave_tasks_behind(token));

  EXPECT_EQ(token.use_count(), 1);
}

TEST(SyncWait, InAForkedChildHasALoopOfItsOwn) {
  EventLoop* const kept = sync_wait(own_loop());

  test::ChildProcess child([kept] { return sync_wait(own_loop()) == kept ? 1 : 0; });

  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(sync_wait(own_loop()), kept);
}

class WaitsAtTheEndOfItsThread {
 public:
  explicit WaitsAtTheEndOfItsThread(int& result) noexcept : result_(&result) {}
  WaitsAtTheEndOfItsThread(const WaitsAtTheEndOfItsThread&) = delete;
  WaitsAtTheEndOfItsThread& operator=(const WaitsAtTheEndOfItsThread&) = delete;
  ~WaitsAtTheEndOfItsThread() { *result_ = *sync_wait(slow_box(7)); }

 private:
  int* result_;
};

TEST(SyncWait, WorksWhileItsThreadEndsToo) {
  int result = 0;
  std::thread other([&result] {
    thread_local const WaitsAtTheEndOfItsThread waits(result);  // destroyed after the kept loop
    static_cast<void>(sync_wait(own_loop()));
  });

  other.join();

  EXPECT_EQ(result, 7);
}

}  // namespace
}  // namespace nearcall
