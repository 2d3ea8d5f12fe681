// SPDX-License-Identifier: Apache-2.0
// Hedges by gRFC A6: when each is due, which failures end the call, and what a throttle allows.
#include "client/hedge_schedule.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint start{1h};

HedgingRules hedging_rules(int most = 4) {
  HedgingRules rules;
  rules.max_attempts = most;
  rules.delay = 100ms;
  rules.non_fatal.add(StatusCode::unavailable);
  return rules;
}

class HedgeScheduleTest : public testing::Test {
 protected:
  bool fail(StatusCode code = StatusCode::unavailable, const Pushback& pushback = {}) {
    return schedule_.on_failed(Status(code, "no"), pushback, now_);
  }
  void use(RetryThrottle& throttle) { schedule_ = HedgeSchedule(rules_, &throttle); }
  /// The next one is sent when it is due.
  bool send_next() {
    now_ = schedule_.next();
    if (!schedule_.begin_next()) return false;
    schedule_.on_begun(now_);
    return true;
  }

  HedgingRules rules_ = hedging_rules();
  HedgeSchedule schedule_{rules_, /*throttle=*/nullptr};
  TimePoint now_ = start;
};

TEST_F(HedgeScheduleTest, EachIsSentADelayAfterTheOneBefore) {
  EXPECT_EQ(schedule_.next(), no_deadline) << "the first one is not sent yet";
  schedule_.on_begun(now_);
  EXPECT_EQ(schedule_.next(), start + 100ms);
  EXPECT_TRUE(send_next());
  EXPECT_EQ(schedule_.next(), start + 200ms);
  EXPECT_TRUE(send_next());
  EXPECT_TRUE(send_next());
  EXPECT_EQ(schedule_.begun(), 4);
  EXPECT_EQ(schedule_.next(), no_deadline);
}

TEST_F(HedgeScheduleTest, NoneIsDueWhileOneIsBeginning) {
  schedule_.on_begun(now_);
  EXPECT_TRUE(schedule_.begin_next());
  EXPECT_EQ(schedule_.next(), no_deadline);
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), no_deadline);
  EXPECT_TRUE(schedule_.is_beginning());
  EXPECT_FALSE(schedule_.begin_next()) << "a timer that was set before";
}

TEST_F(HedgeScheduleTest, AFailureThatIsNotFatalSendsTheNextAtOnce) {
  schedule_.on_begun(now_);
  now_ += 30ms;
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), start + 30ms);
  EXPECT_TRUE(send_next());
  EXPECT_EQ(schedule_.next(), start + 130ms);
}

TEST_F(HedgeScheduleTest, AnyOtherFailureIsFatal) {
  schedule_.on_begun(now_);
  EXPECT_TRUE(fail(StatusCode::internal));
  EXPECT_EQ(schedule_.next(), no_deadline);
}

TEST_F(HedgeScheduleTest, TheServerNamesThePause) {
  schedule_.on_begun(now_);
  EXPECT_FALSE(fail(StatusCode::unavailable, {Pushback::Kind::after, 7s}));
  EXPECT_EQ(schedule_.next(), start + 7s);
  EXPECT_TRUE(send_next());
  EXPECT_EQ(schedule_.next(), start + 7s + 100ms);
}

TEST_F(HedgeScheduleTest, TheServerSaysNever) {
  schedule_.on_begun(now_);
  EXPECT_TRUE(send_next());
  EXPECT_FALSE(fail(StatusCode::unavailable, {Pushback::Kind::never, {}}));
  EXPECT_EQ(schedule_.next(), no_deadline);
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), no_deadline);
}

TEST_F(HedgeScheduleTest, WhatTheServerDidNotBeginDoesNotCount) {
  schedule_.on_begun(now_);
  schedule_.on_unprocessed(now_ + 1ms);
  EXPECT_EQ(schedule_.begun(), 0);
  EXPECT_EQ(schedule_.next(), start + 1ms);
  EXPECT_TRUE(send_next());
  EXPECT_EQ(schedule_.begun(), 1);
}

TEST_F(HedgeScheduleTest, WhatCannotBeConnectedCounts) {
  for (int i = 0; i < 3; ++i) {
    schedule_.on_unconnected();
    EXPECT_FALSE(fail());
    EXPECT_EQ(schedule_.take_next(), start);
  }
  schedule_.on_unconnected();
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), no_deadline);
  EXPECT_EQ(schedule_.begun(), 4);
}

TEST_F(HedgeScheduleTest, WithoutRoomItIsPutOffByTheDelay) {
  schedule_.on_begun(now_);
  schedule_.put_off(start + 100ms);
  EXPECT_EQ(schedule_.next(), start + 200ms);
  rules_.delay = 0ms;
  schedule_.put_off(start + 200ms);
  EXPECT_EQ(schedule_.next(), start + 201ms);
}

TEST_F(HedgeScheduleTest, NoneIsSentWhileTheChannelIsThrottled) {
  RetryThrottle throttle({.max_tokens = 4000, .token_ratio = 1000});
  use(throttle);
  schedule_.on_begun(now_);
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), start) << "3 of 4 tokens are left";
  EXPECT_TRUE(send_next());
  throttle.on_failure();
  EXPECT_FALSE(send_next());
  EXPECT_EQ(schedule_.next(), no_deadline);
  EXPECT_FALSE(schedule_.is_beginning());
}

TEST_F(HedgeScheduleTest, FailuresTakeTokensWhereTheyAreNotFatalOrTheServerSaysNever) {
  RetryThrottle throttle({.max_tokens = 4000, .token_ratio = 1000});
  use(throttle);
  schedule_.on_begun(now_);
  EXPECT_TRUE(fail(StatusCode::internal));
  EXPECT_TRUE(fail(StatusCode::internal));
  EXPECT_TRUE(throttle.allows());
  EXPECT_TRUE(fail(StatusCode::internal, {Pushback::Kind::never, {}}));
  EXPECT_TRUE(throttle.allows()) << "3 of 4 tokens are left";
  EXPECT_FALSE(fail());
  EXPECT_FALSE(throttle.allows());
}

TEST_F(HedgeScheduleTest, AFailureThatThrottlesIsTheLastWord) {
  RetryThrottle throttle({.max_tokens = 2000, .token_ratio = 1000});
  use(throttle);
  schedule_.on_begun(now_);
  EXPECT_FALSE(fail());
  EXPECT_EQ(schedule_.next(), no_deadline);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
