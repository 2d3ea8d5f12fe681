// SPDX-License-Identifier: Apache-2.0
// BusyMeter: who is named when a loop was kept from turning, and who is not.
#include "async/busy_meter.hpp"

#include <nearcall/task.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <thread>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

class BusyMeterTest : public testing::Test {
 protected:
  BusyMeterTest() { meter_.begin(start_); }
  static void run(std::string_view label) { const BusyLabel scope(label); }

  const TimePoint start_{1h};
  BusyMeter meter_;
};

TEST_F(BusyMeterTest, SaysNothingBelowItsThreshold) {
  run("/a.B/C");

  EXPECT_FALSE(meter_.look(start_ + 99ms));
  EXPECT_FALSE(meter_.look(start_ + 198ms)) << "each look begins anew";
}

TEST_F(BusyMeterTest, NamesWhatRanFromItsThresholdOn) {
  run("/a.B/C");

  EXPECT_EQ(meter_.look(start_ + 100ms), "event loop occupied for 100 ms by /a.B/C");
}

TEST_F(BusyMeterTest, NamesAllThatMayHaveBeenIt) {
  static constexpr std::string_view a = "/a";
  static constexpr std::string_view b = "/b";
  for (const std::string_view label : {a, b, a, b, b})
    run(label);

  EXPECT_EQ(meter_.look(start_ + 1s), "event loop occupied for 1000 ms by one of /a, /b");
}

TEST_F(BusyMeterTest, NamesTheFirstFourAndSaysThatThereWereMore) {
  static constexpr std::array<std::string_view, 5> all = {"/a", "/b", "/c", "/d", "/e"};
  for (const std::string_view label : all)
    run(label);

  EXPECT_EQ(meter_.look(start_ + 1s),
            "event loop occupied for 1000 ms by one of /a, /b, /c, /d and others");
}

TEST_F(BusyMeterTest, WhatRanBeforeTheLastLookIsForgotten) {
  run("/early");
  EXPECT_FALSE(meter_.look(start_ + 1ms));
  run("/late");

  EXPECT_EQ(meter_.look(start_ + 1s), "event loop occupied for 999 ms by /late");
  EXPECT_FALSE(meter_.look(start_ + 2s)) << "and so is what was reported";
}

TEST_F(BusyMeterTest, WithoutALabelItIsNobodyUnlessTheLoopKnowsBetter) {
  EXPECT_FALSE(meter_.look(start_ + 1s));
  EXPECT_EQ(meter_.look(start_ + 2s, "a coroutine"),
            "event loop occupied for 1000 ms by a coroutine");
}

TEST_F(BusyMeterTest, TimeBeforeItBeginsAgainIsNobodysFault) {
  run("/a.B/C");
  meter_.begin(start_ + 1s);

  EXPECT_FALSE(meter_.look(start_ + 1s + 99ms));
  EXPECT_FALSE(meter_.look(start_ + 3s)) << "nor is the label kept";
}

TEST(BusyLabel, NestsAndIsEmptyOutside) {
  EXPECT_EQ(BusyLabel::current(), "");
  {
    const BusyLabel outer("/outer");
    {
      const BusyLabel inner("/inner");
      EXPECT_EQ(BusyLabel::current(), "/inner");
    }
    EXPECT_EQ(BusyLabel::current(), "/outer");
  }
  EXPECT_EQ(BusyLabel::current(), "");
}

TEST(Suspended, KeepsTheLabelUnderWhichItWasSuspended) {
  class Park {
   public:
    explicit Park(Suspended& where) noexcept : where_(&where) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) { *where_ = Suspended(waiting); }
    void await_resume() const noexcept {}

   private:
    Suspended* where_;
  };
  Suspended parked;
  std::string seen;
  const auto body = [](Suspended& where, std::string& label) -> Task<void> {
    Park park(where);
    co_await park;
    label = BusyLabel::current();
  };
  Task<void> task = body(parked, seen);
  {
    const BusyLabel label("/suspended");
    start(
        task, [](void*) noexcept {}, nullptr);
  }

  std::thread other([&] { parked.resume(); });
  other.join();

  EXPECT_EQ(seen, "/suspended");
  EXPECT_EQ(BusyLabel::current(), "");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
