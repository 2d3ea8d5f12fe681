// SPDX-License-Identifier: Apache-2.0
// ConnectionAge: when a connection is old, or was idle for too long.
#include "server/connection_age.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace nearcall::inline v0::detail {

void PrintTo(ConnectionAge::Action action, std::ostream* to) {
  *to << static_cast<int>(action);
}

namespace {

using namespace std::chrono_literals;
using Action = ConnectionAge::Action;

constexpr TimePoint start{1h};
constexpr Duration never = Duration::max();
constexpr std::nullopt_t has_calls = std::nullopt;

/// `chance` 0.5: neither more nor less.
ConnectionAge made(const ConnectionAge::Options& options, double chance = 0.5) {
  return {options, chance, start};
}

TEST(ConnectionAge, WithoutLimitsIsNeverLookedAt) {
  EXPECT_FALSE(ConnectionAge::Options().are_any());
  EXPECT_EQ(made({}).next_look(), no_deadline);
  EXPECT_EQ(made({}, 1).next_look(), no_deadline);
}

TEST(ConnectionAge, ThatIsReachedDrainsAndThenTheGraceIsWaitedFor) {
  ConnectionAge age = made({100s, 10s, never});
  EXPECT_EQ(age.next_look(), start + 100s);
  EXPECT_EQ(age.resume(start + 100s - 1ns, has_calls), Action::wait);

  EXPECT_EQ(age.resume(start + 100s, has_calls), Action::drain_old);
  EXPECT_EQ(age.next_look(), start + 110s);
  EXPECT_EQ(age.resume(start + 110s - 1ns, has_calls), Action::wait);
  EXPECT_EQ(age.resume(start + 110s, has_calls), Action::close);
  EXPECT_EQ(age.next_look(), no_deadline);
}

TEST(ConnectionAge, WithoutAGraceWaitsForCallsForEver) {
  ConnectionAge age = made({100s, never, never});

  EXPECT_EQ(age.resume(start + 100s, has_calls), Action::drain_old);
  EXPECT_EQ(age.next_look(), no_deadline);
}

TEST(ConnectionAge, IsATenthMoreOrLess) {
  EXPECT_EQ(made({100s, never, never}, 0).next_look(), start + 90s);
  EXPECT_EQ(made({100s, never, never}, 1).next_look(), start + 110s);
  EXPECT_EQ(made({100s, never, never}, 0.25).next_look(), start + 95s);
}

TEST(ConnectionAge, OfThreeHundredYearsIsNotBeyondTheEndOfTime) {
  EXPECT_EQ(made({never - 1ns, never, never}, 1).next_look(), no_deadline);
}

TEST(ConnectionAge, AnIdleOneDrainsAfterItsTime) {
  ConnectionAge age = made({never, never, 60s});
  EXPECT_EQ(age.next_look(), start + 60s);

  EXPECT_EQ(age.resume(start + 60s, start), Action::drain_idle);
  EXPECT_EQ(age.next_look(), no_deadline);
}

TEST(ConnectionAge, IdleTimeBeginsWhenTheLastCallEnds) {
  ConnectionAge age = made({never, never, 60s});

  EXPECT_EQ(age.resume(start + 60s, start + 7s), Action::wait);
  EXPECT_EQ(age.next_look(), start + 67s);
  EXPECT_EQ(age.resume(start + 67s, start + 7s), Action::drain_idle);
}

TEST(ConnectionAge, WithCallsItIsNotIdle) {
  ConnectionAge age = made({never, never, 60s});

  EXPECT_EQ(age.resume(start + 60s, has_calls), Action::wait);
  EXPECT_EQ(age.next_look(), start + 120s);
}

TEST(ConnectionAge, OneThatDrainsSinceItWasIdleGrowsOldAllTheSame) {
  ConnectionAge age = made({100s, 10s, 60s});
  ASSERT_EQ(age.resume(start + 60s, start), Action::drain_idle);

  EXPECT_EQ(age.next_look(), start + 100s);
  EXPECT_EQ(age.resume(start + 100s, has_calls), Action::drain_old);
  EXPECT_EQ(age.resume(start + 110s, has_calls), Action::close);
}

TEST(ConnectionAge, TheEarlierOfBothCounts) {
  ConnectionAge age = made({100s, 10s, 60s});

  EXPECT_EQ(age.resume(start + 60s, start + 59s), Action::wait);
  EXPECT_EQ(age.next_look(), start + 100s);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
