// SPDX-License-Identifier: Apache-2.0
// LoopCore and BusyMeter: who is blamed for a turn that takes long, and who is not.
#include "async/busy_meter.hpp"
#include "async/loop_core_fixture.hpp"

#include <nearcall/log.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>
#include <nearcall/wait.hpp>

#include <gmock/gmock.h>

#include <thread>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// The time is what the test says.
class BusyTest : public LoopCoreTest {
 protected:
  void SetUp() override {
    time_ = TimePoint(1h);
    const Clock clock([](const void*) noexcept { return time_; }, nullptr);
    core_.set_clocks({clock, clock});
    set_log_handler([this](LogLevel, std::string_view line) { events_.emplace_back(line); });
  }
  void TearDown() override { set_log_handler({}); }

  static void work_for(Duration duration, std::string_view label = "/greet.Greeter/SayHello") {
    const BusyLabel scope(label);
    time_ += duration;
  }

  static inline TimePoint time_;
};

TEST_F(BusyTest, ACoroutineThatOccupiesTheLoopIsNamedOnceASecond) {
  CallRunnable busy([&] { work_for(250ms); });
  CallRunnable again([&] { work_for(100ms); });
  CallRunnable later([&] { work_for(1s, "/greet.Greeter/Later"); });
  core_.schedule(busy);
  core_.schedule(again);
  core_.schedule(later);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("250 ms by /greet.Greeter/SayHello;"),
                                   AllOf(HasSubstr("1000 ms by /greet.Greeter/Later;"),
                                         HasSubstr("(1 more such since the last line)"))));
}

TEST_F(BusyTest, WhatTakesLessThanTheThresholdIsNotWorthALine) {
  CallRunnable busy([&] { work_for(99ms); });
  CallRunnable again([&] { work_for(99ms); });
  core_.schedule(busy);
  core_.schedule(again);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre());
}

TEST_F(BusyTest, TheThresholdCanBeMoved) {
  core_.set_busy_threshold(5ms);
  CallRunnable short_enough([&] { work_for(4ms); });
  CallRunnable too_long([&] { work_for(5ms, "/x.Y/Z"); });
  core_.schedule(short_enough);
  core_.schedule(too_long);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("5 ms by /x.Y/Z;")));
}

TEST_F(BusyTest, ACoroutineWithoutALabelIsStillACoroutine) {
  CallRunnable busy([&] { time_ += 1s; });
  core_.schedule(busy);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("1000 ms by a coroutine;")));
}

TEST_F(BusyTest, AHandlerThatStartsInAnEventIsNamed) {
  const CallWatcher watcher(core_, [&] { work_for(150ms); });

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("150 ms by /greet.Greeter/SayHello;")));
}

TEST_F(BusyTest, AHandlerInAnEventIsNotBlamedOnTheCoroutineAfterIt) {
  CallRunnable innocent([&] { work_for(1ms, "/greet.Greeter/Innocent"); });
  const CallWatcher watcher(core_, [&] {
    work_for(150ms);
    core_.schedule(innocent);
  });

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("150 ms by /greet.Greeter/SayHello;")));
}

TEST_F(BusyTest, PostedWorkIsNamed) {
  loop_.post([&] { work_for(150ms); });

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre(HasSubstr("150 ms by /greet.Greeter/SayHello;")));
}

TEST_F(BusyTest, TheTimeBetweenPollsIsNobodysFault) {
  const BusyLabel label("/greet.Greeter/SayHello");
  loop_.poll();
  time_ += 1s;
  loop_.poll();

  EXPECT_THAT(events_, ElementsAre());
}

TEST_F(BusyTest, TheTimeAsleepIsNobodysFault) {
  std::thread waker;
  CallRunnable start([&] {
    work_for(1ms);
    waker = std::thread([&] {
      loop_.post([&] {
        time_ += 1s;  // as if it had been asleep until now
        loop_.stop();
      });
    });
  });
  core_.schedule(start);

  loop_.run();
  waker.join();

  EXPECT_THAT(events_, ElementsAre());
}

TEST_F(BusyTest, ASleeperTakesItsLabelAlong) {
  core_.set_clocks({});
  const auto sleeper = [](EventLoop& loop) -> Task<void> {
    co_await sleep_for(std::chrono::nanoseconds(1));
    EXPECT_EQ(BusyLabel::current(), "/greet.Greeter/SayHello");
    ThreadPool pool(1);
    co_await resume_on(pool);
    EXPECT_EQ(BusyLabel::current(), "/greet.Greeter/SayHello");
    co_await resume_on(loop);
    EXPECT_EQ(BusyLabel::current(), "/greet.Greeter/SayHello");
    loop.stop();
  };
  Task<void> task = sleeper(loop_);
  loop_.post([&] {
    const BusyLabel label("/greet.Greeter/SayHello");
    start(
        task, [](void*) noexcept {}, nullptr);
  });

  loop_.run();

  EXPECT_EQ(BusyLabel::current(), "");
}

TEST_F(BusyTest, TimeMovesOnWithinATurnThatTakesLong) {
  TimePoint before{};
  TimePoint after{};
  CallRunnable busy([&] {
    before = core_.now();
    time_ += 20ms;
  });
  CallRunnable next([&] { after = core_.now(); });
  core_.schedule(busy);
  core_.schedule(next);

  loop_.poll();

  EXPECT_EQ(after - before, 20ms);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
