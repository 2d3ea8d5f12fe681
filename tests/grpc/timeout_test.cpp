// SPDX-License-Identifier: Apache-2.0
// grpc-timeout: every unit, every limit, and everything that is none.
#include "grpc/timeout.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

using namespace std::chrono_literals;

std::string formatted(Duration timeout) {
  return std::string(format_timeout(timeout).view());
}

TEST(Timeout, ReadsEachUnit) {
  EXPECT_EQ(parse_timeout("2H"), 2h);
  EXPECT_EQ(parse_timeout("2M"), 2min);
  EXPECT_EQ(parse_timeout("2S"), 2s);
  EXPECT_EQ(parse_timeout("2m"), 2ms);
  EXPECT_EQ(parse_timeout("2u"), 2us);
  EXPECT_EQ(parse_timeout("2n"), 2ns);
}

TEST(Timeout, TakesZeroLeadingZerosAndEightDigits) {
  EXPECT_EQ(parse_timeout("0n"), 0ns);
  EXPECT_EQ(parse_timeout("00000001S"), 1s);
  EXPECT_EQ(parse_timeout("99999999n"), 99'999'999ns);
}

TEST(Timeout, MoreThanADurationHoldsIsForever) {
  EXPECT_EQ(parse_timeout("2562047H"), 2'562'047h);
  EXPECT_EQ(parse_timeout("2562048H"), Duration::max());
  EXPECT_EQ(parse_timeout("99999999H"), Duration::max());
  EXPECT_EQ(deadline_after(TimePoint(1s), *parse_timeout("99999999H")), no_deadline);
}

TEST(Timeout, RefusesWhatIsNoTimeout) {
  for (const char* text :
       {"",    "S",    "1",   "123456789S", "999999999n", "000000000S", "-1S", "+1S",
        " 1S", "1S ",  "1 S", "1.5S",       "1s",         "1h",         "1U",  "1N",
        "1ms", "0x1S", "S1",  "1e3S",       "\xff\xffS",  "1\xff"}) {
    EXPECT_EQ(parse_timeout(text), std::nullopt) << '"' << text << '"';
  }
  EXPECT_EQ(parse_timeout(std::string_view("1\0S", 3)), std::nullopt);
  EXPECT_EQ(parse_timeout(std::string_view("1\0", 2)), std::nullopt);
}

TEST(Timeout, TakesEveryUnitCharacterAndNoOther) {
  for (int c = 0; c < 256; ++c) {
    const std::string text{'7', static_cast<char>(c)};
    const bool is_unit = std::string_view("HMSmun").find(text[1]) != std::string_view::npos;
    EXPECT_EQ(parse_timeout(text).has_value(), is_unit) << c;
  }
}

TEST(Timeout, GoesOutAsItWasGiven) {
  EXPECT_EQ(formatted(1s), "1S");
  EXPECT_EQ(formatted(50ms), "50m");
  EXPECT_EQ(formatted(1500ms), "1500m");
  EXPECT_EQ(formatted(7us), "7u");
  EXPECT_EQ(formatted(13ns), "13n");
  EXPECT_EQ(formatted(90s), "90S");
  EXPECT_EQ(formatted(60s), "1M");
  EXPECT_EQ(formatted(5h), "5H");
  EXPECT_EQ(formatted(99'999'999ns), "99999999n");
}

TEST(Timeout, RoundsUpWhatNeedsMoreThanEightDigits) {
  EXPECT_EQ(formatted(100'000'001ns), "100001u");
  EXPECT_EQ(formatted(1'234'567'891ns), "1234568u");
  EXPECT_EQ(formatted(99'999'999'001ns), "100000m");  // one ns over what "u" can say
  EXPECT_EQ(formatted(99'999'999'000ns), "99999999u");
  EXPECT_EQ(formatted(100'000'000s + 1s), "1666667M");
}

TEST(Timeout, WhatGrpcCannotSayBecomesTheLeast) {
  EXPECT_EQ(formatted(0ns), "1n");
  EXPECT_EQ(formatted(-5s), "1n");
  EXPECT_EQ(formatted(Duration::min()), "1n");
}

TEST(Timeout, TheLongestDurationFits) {
  EXPECT_EQ(formatted(Duration::max()), "2562048H");
}

TEST(Timeout, ComesBackExactlyOrAtMostAThousandthLater) {
  for (std::int64_t ns = 1; ns < Duration::max().count() / 7; ns = ns * 7 + ns % 5) {
    const Duration timeout(ns);
    const auto back = parse_timeout(format_timeout(timeout).view());
    ASSERT_TRUE(back.has_value()) << ns;
    EXPECT_GE(*back, timeout) << ns;
    EXPECT_LE((*back - timeout).count(), ns / 1000) << ns;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
