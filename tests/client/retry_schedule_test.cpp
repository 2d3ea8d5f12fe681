// SPDX-License-Identifier: Apache-2.0
// Retries by gRFC A6: which failures, how often, after which pauses, and what a throttle allows.
#include "client/retry_schedule.hpp"

#include "support/messages.hpp"

#include <nearcall/access.hpp>

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

constexpr double no_jitter = 0.5;

RetryRules some_rules() {
  RetryRules rules;
  rules.max_attempts = 5;
  rules.initial_backoff = 100ms;
  rules.max_backoff = 300ms;
  rules.backoff_multiplier = 2;
  rules.retryable.add(StatusCode::unavailable);
  rules.retryable.add(StatusCode::aborted);
  return rules;
}

Metadata pushback(std::string value) {
  Metadata trailers;
  Access::append(trailers, "grpc-retry-pushback-ms", std::move(value));
  return trailers;
}

/// A schedule, and attempts that fail on it.
class RetryScheduleTest : public testing::Test {
 protected:
  std::optional<Duration> fail(StatusCode code = StatusCode::unavailable,
                               const Pushback& pushback = {},
                               bool may_repeat = true,
                               double chance = no_jitter) {
    return schedule_.resume(Status(code, "no"), pushback, may_repeat, chance);
  }
  int previous() const { return schedule_.previous(); }

 private:
  RetryRules rules_ = some_rules();
  RetrySchedule schedule_{rules_, /*throttle=*/nullptr};
};

TEST_F(RetryScheduleTest, PausesGrowUpToTheLongest) {
  EXPECT_EQ(fail(), 100ms);
  EXPECT_EQ(fail(), 200ms);
  EXPECT_EQ(fail(), 300ms);
  EXPECT_EQ(fail(), 300ms);
}

TEST_F(RetryScheduleTest, PausesVaryByAFifthEitherWay) {
  EXPECT_EQ(fail(StatusCode::unavailable, {}, true, 0), 80ms);
  EXPECT_EQ(fail(StatusCode::unavailable, {}, true, 1), 240ms);
}

TEST_F(RetryScheduleTest, ThereAreNoMoreAttemptsThanAllowed) {
  for (int attempt = 1; attempt < 5; ++attempt) {
    EXPECT_TRUE(fail().has_value());
    EXPECT_EQ(previous(), attempt);
  }
  EXPECT_FALSE(fail().has_value());
  EXPECT_FALSE(fail(StatusCode::unavailable, {Pushback::Kind::after, 1ms}).has_value());
  EXPECT_EQ(previous(), 4);
}

TEST_F(RetryScheduleTest, OtherCodesEndTheCall) {
  EXPECT_FALSE(fail(StatusCode::internal).has_value());
  EXPECT_TRUE(fail(StatusCode::aborted).has_value());
}

TEST_F(RetryScheduleTest, WhatHasBegunOrIsNotKeptEndsTheCall) {
  EXPECT_FALSE(fail(StatusCode::unavailable, {}, /*may_repeat=*/false).has_value());
  EXPECT_EQ(previous(), 0);
}

TEST_F(RetryScheduleTest, APauseThatTheServerNamesBeginsTheOthersAnew) {
  EXPECT_EQ(fail(), 100ms);
  EXPECT_EQ(fail(), 200ms);
  EXPECT_EQ(fail(StatusCode::unavailable, {Pushback::Kind::after, 7ms}), 7ms);
  EXPECT_EQ(fail(), 100ms);
}

TEST_F(RetryScheduleTest, AServerMaySayNeverAgain) {
  EXPECT_FALSE(fail(StatusCode::unavailable, {Pushback::Kind::never, {}}).has_value());
}

TEST(RetrySchedule, PausesThatNoDurationHoldsAreTheLongest) {
  RetryRules rules = some_rules();
  rules.initial_backoff = Duration::max();
  rules.max_backoff = Duration::max();
  rules.backoff_multiplier = 1e300;
  RetrySchedule schedule(rules, nullptr);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(schedule.resume(Status::unavailable("no"), {}, true, 1), Duration::max());
}

TEST(Pushback, IsAWholeNumberOfMilliseconds) {
  EXPECT_EQ(Pushback::parse(Metadata()), Pushback());
  EXPECT_EQ(Pushback::parse(pushback("0")), (Pushback{Pushback::Kind::after, 0ms}));
  EXPECT_EQ(Pushback::parse(pushback("250")), (Pushback{Pushback::Kind::after, 250ms}));
  EXPECT_EQ(Pushback::parse(pushback("2147483647")),
            (Pushback{Pushback::Kind::after, 2147483647ms}));
}

TEST(Pushback, IsNeverWhereItIsNegativeOrCannotBeRead) {
  for (const char* const text :
       {"-1", "-2147483648", "2147483648", "", "x", "1x", "1.5", "+1", " 1", "007", "00"}) {
    EXPECT_EQ(Pushback::parse(pushback(text)), (Pushback{Pushback::Kind::never, {}})) << text;
  }
}

// ---- throttling ---------------------------------------------------------------------------------

TEST(RetryThrottle, AllowsRetriesWhileMoreThanHalfIsLeft) {
  RetryThrottle throttle({.max_tokens = 4'000, .token_ratio = 500});
  throttle.on_failure();
  EXPECT_TRUE(throttle.allows());
  throttle.on_failure();
  EXPECT_FALSE(throttle.allows());
  throttle.on_success();
  EXPECT_TRUE(throttle.allows());
}

TEST(RetryThrottle, KeepsNoMoreTokensThanItHadAndNoDebts) {
  RetryThrottle throttle({.max_tokens = 2'000, .token_ratio = 600});
  throttle.on_success();
  throttle.on_failure();
  EXPECT_FALSE(throttle.allows()) << "1 of 2";
  for (int i = 0; i < 10; ++i)
    throttle.on_failure();
  throttle.on_success();
  EXPECT_FALSE(throttle.allows()) << "0.6";
  throttle.on_success();
  EXPECT_TRUE(throttle.allows()) << "1.2";
}

TEST(RetryThrottle, CountsFailuresThatCouldBeRetriedAndNoOthers) {
  const RetryRules rules = some_rules();
  RetryThrottle throttle({.max_tokens = 4'000, .token_ratio = 1'000});
  RetrySchedule schedule(rules, &throttle);
  const auto is_retried = [&schedule](Status status, const Pushback& pushback = {},
                                      bool may_repeat = true) {
    return schedule.resume(status, pushback, may_repeat, no_jitter).has_value();
  };
  EXPECT_FALSE(is_retried(Status::internal("fatal")));
  EXPECT_FALSE(is_retried(Status::internal("fatal")));
  EXPECT_TRUE(is_retried(Status::unavailable("no")));
  EXPECT_FALSE(is_retried(Status::internal("fatal"), {Pushback::Kind::never, {}}));
  EXPECT_FALSE(throttle.allows()) << "the server does not want it again: that counts";
  EXPECT_FALSE(is_retried(Status::unavailable("no")));
  throttle.on_success();
  throttle.on_success();
  EXPECT_TRUE(throttle.allows());
  EXPECT_FALSE(is_retried(Status::unavailable("it has begun"), {}, /*may_repeat=*/false));
  EXPECT_FALSE(throttle.allows()) << "and so does one that has begun";
}

}  // namespace
}  // namespace nearcall::inline v0::detail
