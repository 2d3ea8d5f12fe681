// SPDX-License-Identifier: Apache-2.0
// What every figure goes through: the histogram of latencies, and the window of time.
#include "common/meter.hpp"

#include <gtest/gtest.h>

namespace bench {
namespace {

using namespace std::chrono_literals;

double relative_error(std::uint64_t got, std::uint64_t wanted) {
  const double difference = static_cast<double>(got) - static_cast<double>(wanted);
  return (difference < 0 ? -difference : difference) / static_cast<double>(wanted);
}

TEST(Histogram, OfNothingHasQuantilesOfZero) {
  const Histogram histogram;

  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.quantile(0.5), 0U);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  for (std::int64_t value = 0; value < 128; ++value) {
    Histogram histogram;
    histogram.add(value);

    EXPECT_EQ(histogram.quantile(0.5), static_cast<std::uint64_t>(value));
  }
}

TEST(Histogram, KeepsAnyValueWithinOnePercent) {
  for (std::int64_t value = 1; value < 100'000'000'000; value += value / 7 + 1) {
    Histogram histogram;
    histogram.add(value);

    EXPECT_LT(relative_error(histogram.quantile(0.99), static_cast<std::uint64_t>(value)), 0.01)
        << value;
  }
}

TEST(Histogram, FindsMedianAndTail) {
  Histogram histogram;
  for (std::int64_t value = 1; value <= 1000; ++value) {
    histogram.add(value * 1000);
  }

  EXPECT_LT(relative_error(histogram.quantile(0.5), 500'000), 0.01);
  EXPECT_LT(relative_error(histogram.quantile(0.99), 990'000), 0.01);
}

TEST(Histogram, MergesWithAnother) {
  Histogram fast;
  Histogram slow;
  fast.add(10);
  for (int i = 0; i < 3; ++i) {
    slow.add(90);
  }

  fast.merge(slow);

  EXPECT_EQ(fast.count(), 4U);
  EXPECT_EQ(fast.quantile(0.5), 90U);
}

TEST(Meter, CountsNothingOfTheWarmUp) {
  Options options;
  options.warmup = 1s;
  options.seconds = 1s;
  const Clock::time_point start{};
  Meter meter(options, start);

  EXPECT_TRUE(meter.call_done(start, start + 500ms));
  EXPECT_TRUE(meter.call_done(start + 500ms, start + 1s));  // opens the window
  EXPECT_TRUE(meter.call_done(start + 1s, start + 1500ms));
  EXPECT_FALSE(meter.call_done(start + 1500ms, start + 2s));

  EXPECT_EQ(meter.count(), 2U);
}

TEST(Meter, TakesNoLatencyOfACallThatBeganBeforeTheWindow) {
  Options options;
  options.warmup = 1s;
  options.seconds = 1s;
  const Clock::time_point start{};
  Meter meter(options, start);
  meter.call_done(start, start + 1s);

  meter.call_done(start, start + 1200ms);

  EXPECT_EQ(meter.count(), 1U);
  EXPECT_EQ(meter.latencies().count(), 0U);
}

TEST(Meter, StopsAfterTheCallsThatWereAskedFor) {
  Options options;
  options.calls = 2;
  const Clock::time_point start{};
  Meter meter(options, start);

  EXPECT_TRUE(meter.call_done(start, start + 1s));
  EXPECT_FALSE(meter.call_done(start, start + 2s));

  EXPECT_TRUE(meter.is_over());
}

TEST(CpuTimes, GrowWithWork) {
  const CpuTimes before = CpuTimes::now(getpid());
  while (CpuTimes::now(0).client < before.client + 1'000'000) {
  }
  const CpuTimes after = CpuTimes::now(getpid());

  EXPECT_GE(after.client - before.client, 1'000'000);
  EXPECT_GE(after.server - before.server, 900'000);  // the clocks are read one after the other
}

}  // namespace
}  // namespace bench
