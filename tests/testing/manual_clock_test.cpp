// SPDX-License-Identifier: Apache-2.0
// ManualClock: time passes when the test says so, for whatever waits on its loop.
#include "server/wrapper_service.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/testing/manual_clock.hpp>
#include <nearcall/testing/test_server.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ManualClock;

Task<void> sleep_and_tell(std::chrono::nanoseconds duration, bool& has_slept) {
  co_await sleep_for(duration);
  has_slept = true;
}

TEST(ManualClockTest, WithoutALoopItOnlyTellsTheTime) {
  ManualClock clock;
  const auto before = clock.now();

  clock.advance(5s);

  EXPECT_EQ(clock.now() - before, 5s);
}

class ManualClockLoop : public LogCheckedTest {
 protected:
  EventLoop loop_;
  ManualClock clock_{loop_};
  EventLoop::Binding binding_{loop_};
};

TEST_F(ManualClockLoop, ASleepEndsWhenItsTimeHasComeAndNotBefore) {
  bool has_slept = false;
  spawn(sleep_and_tell(1h, has_slept));
  clock_.settle();

  clock_.advance(1h - 1ns);
  clock_.settle();
  EXPECT_FALSE(has_slept);

  clock_.advance(1ns);
  clock_.settle();
  EXPECT_TRUE(has_slept);
}

Task<void> sleep_and_count(int& count) {
  co_await sleep_for(1s);
  ++count;
}

TEST_F(ManualClockLoop, AllWhoseTimeHasComeGoOnHoweverMany) {
  constexpr int many = 1000;  // more than one turn of a loop takes
  int count = 0;
  for (int i = 0; i < many; ++i)
    spawn(sleep_and_count(count));
  clock_.settle();

  clock_.advance(1s);
  clock_.settle();

  EXPECT_EQ(count, many);
}

Task<void> sleep_twice(int& count) {
  co_await sleep_for(1s);
  ++count;
  co_await sleep_for(1s);
  ++count;
}

TEST_F(ManualClockLoop, AnotherLoopOfTheThreadHasATimeOfItsOwn) {
  EventLoop other_loop;
  ManualClock other_clock(other_loop);
  bool has_slept = false;
  bool has_slept_there = false;
  spawn(loop_, sleep_and_tell(1s, has_slept));
  spawn(other_loop, sleep_and_tell(1s, has_slept_there));
  clock_.settle();
  other_clock.settle();

  other_clock.advance(1s);
  clock_.settle();
  other_clock.settle();

  EXPECT_FALSE(has_slept);
  EXPECT_TRUE(has_slept_there);
}

TEST_F(ManualClockLoop, WhoSleepsAgainSleepsFromTheNewTime) {
  int count = 0;
  spawn(sleep_twice(count));
  clock_.settle();

  clock_.advance(2s);
  clock_.settle();
  EXPECT_EQ(count, 1);

  clock_.advance(1s);
  clock_.settle();
  EXPECT_EQ(count, 2);
}

Task<void> advance_on_the_loop(ManualClock& clock, std::chrono::nanoseconds duration) {
  clock.advance(duration);
  co_return;
}

Task<bool> sleep_while_it_is_advanced(ManualClock& clock) {
  bool has_slept = false;
  spawn(advance_on_the_loop(clock, 1h));
  co_await sleep_for(1h);
  has_slept = true;
  co_return has_slept;
}

TEST_F(ManualClockLoop, ATaskOnTheLoopMayMoveIt) {
  EXPECT_TRUE(sync_wait(sleep_while_it_is_advanced(clock_)));
}

TEST_F(ManualClockLoop, AnAwaitedCallFailsWhenItsDeadlineHasComeAtBothSides) {
  WrapperService service;
  testing::TestServer server(loop_, service);
  const ClientStub client(server.channel(), WrapperService::methods);
  auto call =
      client.unary_async<Text>(WrapperService::hold, text_of(""), CallOptions().timeout(1h));
  clock_.settle();
  ASSERT_EQ(service.started.count(), 1);

  clock_.advance(1h - 1ns);
  clock_.settle();
  EXPECT_FALSE(call.is_done());
  EXPECT_EQ(service.cancelled.count(), 0);

  clock_.advance(1ns);
  clock_.settle();
  ASSERT_TRUE(call.is_done());
  EXPECT_EQ(call.status().code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(service.cancelled.count(), 1);
}

TEST_F(ManualClockLoop, AServersDrainIsForcedWhenItsTimeHasCome) {
  WrapperService service;
  testing::TestServer server(loop_, service, ServerOptions().drain_timeout(1h));
  const ClientStub client(server.channel(), WrapperService::methods);
  auto call = client.unary_async<Text>(WrapperService::hold, text_of(""), CallOptions());
  clock_.settle();
  server.server().stop();
  clock_.settle();

  clock_.advance(1h - 1ns);
  clock_.settle();
  EXPECT_EQ(service.cancelled.count(), 0);

  clock_.advance(1ns);
  clock_.settle();
  EXPECT_EQ(service.cancelled.count(), 1);
  EXPECT_TRUE(call.is_done());
}

TEST(ManualClockTest, ALoopGoesByTheSystemsClockAgainWhenItIsGone) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  { const ManualClock clock(loop); }
  bool has_slept = false;

  sync_wait(sleep_and_tell(1ms, has_slept));

  EXPECT_TRUE(has_slept);
}

}  // namespace
}  // namespace nearcall::test
