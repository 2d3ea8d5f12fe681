// SPDX-License-Identifier: Apache-2.0
// Spinner: when the budget grows, shrinks and collapses, in simulated time.
#include "async/spinner.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

unsigned one() noexcept {
  return 1;
}
unsigned two() noexcept {
  return 2;
}

/// Plays waits against a spinner: a poll takes `poll`.
class SpinnerTest : public testing::Test {
 protected:
  /// One wait whose data comes after `delay`; how long it spun, or nothing if it slept at once.
  Duration wait(Duration delay) {
    const TimePoint start = now_;
    if (spinner_.begin(now_)) {
      do {
        if (now_ - start >= delay) {
          spinner_.paid();
          return now_ - start;
        }
        now_ += poll_;
      } while (spinner_.keep_on(now_));
    }
    const Duration spun = now_ - start;
    if (delay > spun) {
      now_ += delay - spun;
      spinner_.slept(delay - spun);
    }
    return spun;
  }
  /// The number of waits that sleep at once before one probes.
  int waits_until_probe(Duration delay) {
    for (int count = 0; count < 5000; ++count) {
      if (wait(delay) > 0ns) return count;
    }
    return -1;
  }
  void collapse() {
    while (wait(1ms) > 0ns) {
    }
  }

  void be_descheduled() {
    ASSERT_TRUE(spinner_.begin(now_));
    now_ += 3ms;
    ASSERT_FALSE(spinner_.keep_on(now_));
  }
  Duration time_until_spinning() {
    const TimePoint since = now_;
    while (!spinner_.begin(now_))
      now_ += 250us;
    return now_ - since;
  }

  Duration poll_ = 500ns;
  TimePoint now_{1s};
  Spinner spinner_{SpinPolicy::adaptive(48us), two};
};

TEST_F(SpinnerTest, SpinsUntilDataComesAndNoLonger) {
  EXPECT_EQ(wait(3us), 3us);
}

TEST_F(SpinnerTest, SpinsOnWhereThePolicySetsNoEnd) {
  spinner_ = Spinner(SpinPolicy::adaptive(Duration::max()), two);

  EXPECT_EQ(wait(1s), 1s);
  EXPECT_EQ(wait(1s), 1s);
}

TEST_F(SpinnerTest, GivesUpWhenTheBudgetIsSpent) {
  EXPECT_EQ(wait(1ms), 48us);
}

TEST_F(SpinnerTest, BudgetHalvesWhenItDoesNotPay) {
  EXPECT_EQ(wait(1ms), 48us);
  EXPECT_EQ(wait(1ms), 24us);
  EXPECT_EQ(wait(1ms), 12us);
}

TEST_F(SpinnerTest, BudgetGrowsBackWhenItPays) {
  wait(1ms);
  wait(1ms);

  wait(3us);
  EXPECT_EQ(spinner_.budget(), 24us);
  wait(3us);
  EXPECT_EQ(spinner_.budget(), 48us);
  wait(3us);
  EXPECT_EQ(spinner_.budget(), 48us);
}

TEST_F(SpinnerTest, SleepsAtOnceAfterFourFruitlessBudgets) {
  for (int count = 0; count < 4; ++count)
    EXPECT_GT(wait(1ms), 0ns);

  EXPECT_EQ(wait(1ms), 0ns);
}

TEST_F(SpinnerTest, ProbesWithTheWholeBudgetAndRarerEachTime) {
  collapse();
  EXPECT_EQ(waits_until_probe(1ms), 7);  // one was spent on seeing the collapse

  EXPECT_EQ(waits_until_probe(1ms), 16);
  EXPECT_EQ(waits_until_probe(1ms), 32);
  EXPECT_EQ(spinner_.budget(), 48us);
}

TEST_F(SpinnerTest, ProbesNeverStop) {
  collapse();
  for (int probe = 0; probe < 20; ++probe)
    waits_until_probe(1ms);

  EXPECT_EQ(waits_until_probe(1ms), 1024);
}

TEST_F(SpinnerTest, ProbeThatPaysBringsSpinningBack) {
  collapse();
  waits_until_probe(1ms);
  waits_until_probe(1ms);
  waits_until_probe(40us);

  EXPECT_EQ(wait(3us), 3us);
  EXPECT_EQ(wait(40us), 40us);
}

TEST_F(SpinnerTest, ShortSleepsBringTheNextProbeCloser) {
  collapse();
  for (int probe = 0; probe < 7; ++probe)
    waits_until_probe(1ms);

  EXPECT_EQ(waits_until_probe(60us), 1024 / 8);
}

TEST_F(SpinnerTest, CollapsesAtOnceWhenAnotherThreadRanInBetween) {
  ASSERT_TRUE(spinner_.begin(now_));
  EXPECT_TRUE(spinner_.keep_on(now_ + 1us));

  EXPECT_FALSE(spinner_.keep_on(now_ + 60us));

  EXPECT_FALSE(spinner_.begin(now_ + 61us));
}

TEST_F(SpinnerTest, SpinsOnAfterAGapThatWasNoPoll) {
  ASSERT_TRUE(spinner_.begin(now_));
  EXPECT_TRUE(spinner_.keep_on(now_ + 1us));

  spinner_.was_held_up(now_ + 45us);

  EXPECT_TRUE(spinner_.keep_on(now_ + 46us));
}

TEST_F(SpinnerTest, WhatHappenedOnceIsOverAfterAMillisecond) {
  be_descheduled();

  EXPECT_EQ(time_until_spinning(), 1ms);
}

TEST_F(SpinnerTest, SleepsForLongerEachTimeWhereThreadsAreMoreThanProcessors) {
  std::vector<Duration> pauses;
  for (int times = 0; times < 10; ++times) {
    be_descheduled();
    pauses.push_back(time_until_spinning());
    EXPECT_EQ(wait(3us), 3us);  // that spinning pays meanwhile makes no difference
  }

  EXPECT_EQ(pauses,
            (std::vector<Duration>{1ms, 2ms, 4ms, 8ms, 16ms, 32ms, 64ms, 128ms, 256ms, 256ms}));
}

TEST_F(SpinnerTest, ForgetsThatThreadsWereMoreThanProcessors) {
  be_descheduled();
  time_until_spinning();
  be_descheduled();
  time_until_spinning();
  now_ += 16 * 2ms;

  be_descheduled();

  EXPECT_EQ(time_until_spinning(), 1ms);
}

TEST_F(SpinnerTest, ShortSleepsDoNotEndThePause) {
  be_descheduled();
  for (int sleeps = 0; sleeps < 100; ++sleeps)
    spinner_.slept(10us);

  EXPECT_EQ(time_until_spinning(), 1ms);
}

TEST_F(SpinnerTest, NeverSpinsOnOneProcessor) {
  Spinner spinner(SpinPolicy::adaptive(), one);

  EXPECT_FALSE(spinner.begin(now_));
}

TEST_F(SpinnerTest, NeverSpinsWhenItIsOff) {
  Spinner spinner(SpinPolicy::off(), two);

  EXPECT_FALSE(spinner.begin(now_));
}

TEST_F(SpinnerTest, KnowsCheapPollsFromSystemCalls) {
  spinner_.begin(now_);
  spinner_.keep_on(now_ + 40ns);
  EXPECT_TRUE(spinner_.are_polls_cheap());

  spinner_.keep_on(now_ + 540ns);
  EXPECT_FALSE(spinner_.are_polls_cheap());
}

TEST(UsableProcessors, AreAtLeastOne) {
  EXPECT_GE(usable_processors(), 1U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
