// SPDX-License-Identifier: Apache-2.0
// sync_wait(): what comes out of it, and what it takes.
#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/wait.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

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

}  // namespace
}  // namespace nearcall
