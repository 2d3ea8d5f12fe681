// SPDX-License-Identifier: Apache-2.0
// AbuseBudget: what is counted, what gives it back. At the defaults: limits_test.cpp.
#include "http2/abuse_budget.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace std::chrono_literals;

const TimePoint start{1h};

ConnectionLimits small() {
  ConnectionLimits limits;
  limits.max_resets_outstanding = 2;
  limits.max_refusals = 3;
  limits.refusals_per_second = 2;
  limits.max_induced_frames_ever = 3;
  limits.max_empty_data = 2;
  limits.max_overhead_frames = 4;
  limits.tiny_payload = 16;
  limits.max_buffered_input = 100;
  return limits;
}

void expect_calm_down(const AbuseBudget::Verdict& verdict, std::string_view limit) {
  ASSERT_FALSE(verdict);
  EXPECT_TRUE(verdict.error().is_connection_error());
  EXPECT_EQ(verdict.error().code, ErrorCode::enhance_your_calm);
  EXPECT_NE(verdict.error().what.find(limit), std::string_view::npos) << verdict.error().what;
}

class AbuseBudgetTest : public testing::Test {
 protected:
  const ConnectionLimits limits = small();
  AbuseBudget budget{limits, start};
};

TEST_F(AbuseBudgetTest, ResetsCountUntilTheirStreamIsReleased) {
  EXPECT_TRUE(budget.stream_reset());
  EXPECT_TRUE(budget.stream_reset());
  budget.stream_released(/*was_reset=*/false);
  EXPECT_EQ(budget.resets_outstanding(), 2U);
  budget.stream_released(/*was_reset=*/true);
  EXPECT_TRUE(budget.stream_reset());
  expect_calm_down(budget.stream_reset(), "max_resets_outstanding");
}

TEST_F(AbuseBudgetTest, EachReleasePaysForARefusal) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.stream_refused(start));
  }
  budget.stream_released(/*was_reset=*/false);
  EXPECT_TRUE(budget.stream_refused(start));
  expect_calm_down(budget.stream_refused(start), "max_refusals");
}

TEST_F(AbuseBudgetTest, ReleasesNeverPayForMoreThanAll) {
  budget.stream_released(/*was_reset=*/true);
  EXPECT_EQ(budget.refusals_left(), 3U);
  EXPECT_EQ(budget.resets_outstanding(), 0U);
}

TEST_F(AbuseBudgetTest, WholeSecondsPayForRefusals) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.stream_refused(start));
  }
  EXPECT_TRUE(budget.stream_refused(start + 1500ms));
  EXPECT_TRUE(budget.stream_refused(start + 1500ms));
  EXPECT_FALSE(budget.stream_refused(start + 1999ms));
  EXPECT_TRUE(budget.stream_refused(start + 2s)) << "the half second was not lost";
}

TEST_F(AbuseBudgetTest, ManySecondsPayForNoMoreThanAll) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.stream_refused(start));
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.stream_refused(start + 24h * 365 * 200));
  }
  EXPECT_FALSE(budget.stream_refused(start + 24h * 365 * 200));
}

TEST_F(AbuseBudgetTest, EmptyDataCountsInARow) {
  EXPECT_TRUE(budget.tiny_data(0));
  EXPECT_TRUE(budget.tiny_data(0));
  budget.large_data();
  EXPECT_EQ(budget.empty_data(), 0U);
  EXPECT_TRUE(budget.tiny_data(0));
  EXPECT_TRUE(budget.tiny_data(0));
  expect_calm_down(budget.tiny_data(0), "max_empty_data");
}

TEST_F(AbuseBudgetTest, TinyIsBelowTheLimit) {
  EXPECT_TRUE(budget.is_tiny(0));
  EXPECT_TRUE(budget.is_tiny(15));
  EXPECT_FALSE(budget.is_tiny(16));
}

TEST_F(AbuseBudgetTest, OverheadIsPaidByUsefulBytesAndWhatTheyLeaveCounts) {
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(budget.overhead_frame());
  }
  budget.useful(15);
  EXPECT_EQ(budget.overhead_frames(), 4U);
  budget.useful(1 + 16);
  EXPECT_EQ(budget.overhead_frames(), 2U);
  budget.useful(1'000'000);
  EXPECT_EQ(budget.overhead_frames(), 0U);
  budget.useful(1'000'000);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(budget.tiny_data(1)) << "nothing is saved up";
  }
  expect_calm_down(budget.tiny_data(1), "max_overhead_frames");
}

TEST_F(AbuseBudgetTest, ATinyFrameThatCompletesAMessageIsForgiven) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(budget.tiny_data(0));
    budget.forgive_tiny();
  }
  EXPECT_EQ(budget.overhead_frames(), 0U);
  EXPECT_EQ(budget.empty_data(), 0U);
  budget.forgive_tiny();
  EXPECT_EQ(budget.overhead_frames(), 0U);
}

TEST_F(AbuseBudgetTest, InducedFramesCountUntilTheyAreSent) {
  EXPECT_TRUE(budget.induced_frame(0, 10));
  EXPECT_TRUE(budget.induced_frame(0, 20));
  EXPECT_EQ(budget.induced_frames(0), 2U);
  EXPECT_EQ(budget.induced_frames(30), 0U);
  EXPECT_TRUE(budget.induced_frame(30, 30));
  EXPECT_EQ(budget.induced_frames(30), 1U) << "all that was before has been sent";
}

TEST_F(AbuseBudgetTest, InducedFramesThatWereSentDoNotCountThoughOtherOutputWaits) {
  EXPECT_TRUE(budget.induced_frame(0, 10));
  EXPECT_EQ(budget.induced_frames(20), 0U);

  EXPECT_TRUE(budget.induced_frame(20, 1000));

  EXPECT_EQ(budget.induced_frames(20), 1U);
}

TEST_F(AbuseBudgetTest, InducedFramesOfWhichSomeAreSentStillCountUntilTheMarkIsReached) {
  EXPECT_TRUE(budget.induced_frame(0, 10));
  EXPECT_TRUE(budget.induced_frame(0, 20));
  EXPECT_TRUE(budget.induced_frame(0, 30));
  expect_calm_down(budget.induced_frame(5, 40), "max_induced_frames_ever");
}

TEST_F(AbuseBudgetTest, FramesOnTheirWayToAnAbandonedStreamAreFree) {
  budget.input_dropped(/*window=*/20);
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(budget.late_frame(4));
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(budget.late_frame(0)) << "headers and empty frames";
  }
  EXPECT_EQ(budget.overhead_frames(), 0U);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(budget.late_frame(0));
  }
  expect_calm_down(budget.late_frame(1), "max_overhead_frames");
}

TEST_F(AbuseBudgetTest, ManyAbandonedStreamsAllowNoMoreThanTheConnectionsBuffer) {
  for (int i = 0; i < 1000; ++i) {
    budget.input_dropped(0x7fff'ffff);
  }
  for (int i = 0; i < 108; ++i) {
    EXPECT_TRUE(budget.late_frame(1));
  }
  EXPECT_EQ(budget.overhead_frames(), 0U);
  EXPECT_TRUE(budget.late_frame(1));
  EXPECT_EQ(budget.overhead_frames(), 1U);
}

TEST_F(AbuseBudgetTest, ALargeLateFrameCostsNothingElse) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(budget.late_frame(16)) << "the connection's window is what limits these";
  }
  EXPECT_EQ(budget.overhead_frames(), 0U);
}

// ---- PINGs --------------------------------------------------------------------------------------

class PingBudgetTest : public testing::Test {
 protected:
  static constexpr Duration interval = std::chrono::minutes(5);

  /// PING `after` the one before.
  AbuseBudget::Verdict ping(Duration after, bool has_calls = true) {
    now_ += after;
    return budget_.ping(now_, has_calls);
  }

  const ConnectionLimits limits_;
  TimePoint now_{std::chrono::hours(1)};
  AbuseBudget budget_{limits_, now_};
};

TEST_F(PingBudgetTest, OneAnIntervalIsFree) {
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(ping(interval));
}

TEST_F(PingBudgetTest, ATenthTooEarlyIsInTimeAndMoreIsNot) {
  EXPECT_TRUE(ping(interval));
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(ping(interval - interval / 10));

  EXPECT_TRUE(ping(interval - interval / 10 - std::chrono::nanoseconds(1)));
  EXPECT_TRUE(ping(Duration::zero()));
  EXPECT_FALSE(ping(Duration::zero()));
}

TEST_F(PingBudgetTest, TwoTooEarlyAreLetPassAndTheThirdIsAViolation) {
  EXPECT_TRUE(ping(interval));
  EXPECT_TRUE(ping(std::chrono::seconds(1)));
  EXPECT_TRUE(ping(std::chrono::seconds(1)));

  expect_calm_down(ping(std::chrono::seconds(1)), "too_many_pings");
}

TEST_F(PingBudgetTest, OneInTimeDoesNotForgiveThoseThatWereEarly) {
  EXPECT_TRUE(ping(interval));
  EXPECT_TRUE(ping(std::chrono::seconds(1)));
  EXPECT_TRUE(ping(std::chrono::seconds(1)));
  EXPECT_TRUE(ping(interval));

  EXPECT_FALSE(ping(std::chrono::seconds(1)));
}

TEST_F(PingBudgetTest, AfterOutputForACallOneIsFreeAndAllIsForgiven) {
  for (int i = 0; i < 100; ++i) {
    budget_.served();
    EXPECT_TRUE(ping(Duration::zero()));
    EXPECT_TRUE(ping(Duration::zero()));
    EXPECT_TRUE(ping(Duration::zero()));
  }
}

TEST_F(PingBudgetTest, WithoutCallsTheIntervalIsLonger) {
  EXPECT_TRUE(ping(interval, /*has_calls=*/false));
  EXPECT_TRUE(ping(interval, /*has_calls=*/false));
  EXPECT_TRUE(ping(interval, /*has_calls=*/false));
  EXPECT_FALSE(ping(interval, /*has_calls=*/false));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
