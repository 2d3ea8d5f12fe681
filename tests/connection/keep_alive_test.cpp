// SPDX-License-Identifier: Apache-2.0
// KeepAlive: when a silent peer is asked, and when it is lost.
#include "connection/keep_alive.hpp"

#include <gtest/gtest.h>

#include <ostream>

namespace nearcall::inline v0::detail {

void PrintTo(KeepAlive::Action action, std::ostream* to) {
  *to << static_cast<int>(action);
}

namespace {

using namespace std::chrono_literals;
using Action = KeepAlive::Action;

constexpr TimePoint start{1h};

/// Asks after 30 s, and waits for 20 s.
class KeepAliveTest : public testing::Test {
 protected:
  static constexpr KeepAlive::Options usual{30s, 20s, /*without_calls=*/false};

  Action at(Duration after, bool has_calls = true) {
    return keep_alive_.resume(start + after, heard_at_, has_calls);
  }
  Duration next_look(bool has_calls = true) const {
    const TimePoint next = keep_alive_.next_look(has_calls);
    return next == no_deadline ? Duration::max() : next - start;
  }

  TimePoint heard_at_ = start;
  KeepAlive keep_alive_{usual, start};
};

TEST_F(KeepAliveTest, ThatIsOffIsNeverLookedAt) {
  KeepAlive off;

  EXPECT_EQ(off.next_look(/*has_calls=*/true), no_deadline);
  EXPECT_EQ(off.resume(start + 1000h, start, /*has_calls=*/true), Action::wait);
  EXPECT_EQ(KeepAlive(KeepAlive::Options(), start).next_look(true), no_deadline);
}

TEST_F(KeepAliveTest, ASilentPeerIsAskedWhenTheTimeHasPassed) {
  EXPECT_EQ(next_look(), 30s);
  EXPECT_EQ(at(30s - 1ns), Action::wait);

  EXPECT_EQ(at(30s), Action::ping);
}

TEST_F(KeepAliveTest, ThatWasHeardIsAskedThatMuchLater) {
  heard_at_ = start + 12s;

  EXPECT_EQ(at(30s), Action::wait);
  EXPECT_EQ(next_look(), 42s);
  EXPECT_EQ(at(42s), Action::ping);
}

TEST_F(KeepAliveTest, ThatDoesNotAnswerIsLostAfterTheTimeout) {
  ASSERT_EQ(at(30s), Action::ping);

  EXPECT_EQ(next_look(), 50s);
  EXPECT_EQ(at(50s - 1ns), Action::wait);
  EXPECT_EQ(at(50s), Action::close);
}

TEST_F(KeepAliveTest, AnyByteIsAnAnswer) {
  ASSERT_EQ(at(30s), Action::ping);
  heard_at_ = start + 49s;

  EXPECT_EQ(at(50s), Action::wait);
  EXPECT_EQ(next_look(), 79s);
  EXPECT_EQ(at(79s), Action::ping);
  EXPECT_EQ(at(99s), Action::close);
}

TEST_F(KeepAliveTest, AByteOfTheSameInstantIsAnAnswer) {
  ASSERT_EQ(at(30s), Action::ping);
  heard_at_ = start + 30s;

  EXPECT_EQ(at(50s), Action::wait);
}

/// The next PING is not late though nobody looks when an answer comes.
TEST_F(KeepAliveTest, ALongTimeoutDoesNotMakeItAskLessOften) {
  keep_alive_ = KeepAlive({10s, 60s, /*without_calls=*/false}, start);
  ASSERT_EQ(at(10s), Action::ping);
  EXPECT_EQ(next_look(), 20s);
  heard_at_ = start + 11s;

  EXPECT_EQ(at(20s), Action::wait);
  EXPECT_EQ(at(21s), Action::ping);
}

TEST_F(KeepAliveTest, ALongTimeoutIsWaitedForAllTheSame) {
  keep_alive_ = KeepAlive({10s, 60s, /*without_calls=*/false}, start);
  ASSERT_EQ(at(10s), Action::ping);

  EXPECT_EQ(at(20s), Action::wait);
  EXPECT_EQ(next_look(), 70s);
  EXPECT_EQ(at(70s), Action::close);
}

TEST_F(KeepAliveTest, WithoutCallsItAsksNothingAndIsNotLookedAt) {
  EXPECT_EQ(at(30s, /*has_calls=*/false), Action::wait);

  EXPECT_EQ(next_look(/*has_calls=*/false), Duration::max());
}

TEST_F(KeepAliveTest, ACallThatBeginsAfterALongSilenceMakesItAskAtOnce) {
  ASSERT_EQ(at(30s, /*has_calls=*/false), Action::wait);

  EXPECT_LE(next_look(), 3600s);
  EXPECT_EQ(at(3600s), Action::ping);
  EXPECT_EQ(at(3620s), Action::close);
}

TEST_F(KeepAliveTest, ThatAsksWithoutCallsDoes) {
  keep_alive_ = KeepAlive({30s, 20s, /*without_calls=*/true}, start);

  EXPECT_EQ(next_look(/*has_calls=*/false), 30s);
  EXPECT_EQ(at(30s, /*has_calls=*/false), Action::ping);
  EXPECT_EQ(at(50s, /*has_calls=*/false), Action::close);
}

TEST_F(KeepAliveTest, WhatWasAskedForACallIsAwaitedAlsoWhenThatIsOver) {
  ASSERT_EQ(at(30s), Action::ping);

  EXPECT_EQ(next_look(/*has_calls=*/false), 50s);
  EXPECT_EQ(at(50s, /*has_calls=*/false), Action::close);
}

TEST_F(KeepAliveTest, ATimeWithoutAnEndIsOff) {
  keep_alive_ = KeepAlive({Duration::max(), 20s, /*without_calls=*/true}, start);

  EXPECT_EQ(next_look(), Duration::max());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
