// SPDX-License-Identifier: Apache-2.0
// resume_on(): where a task goes on, and what ends on its way.
#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/spawn.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace nearcall {
namespace {

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
