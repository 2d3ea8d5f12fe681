// SPDX-License-Identifier: Apache-2.0
// ClosedStreams: the last ones exactly, older ones roughly.
#include "http2/closed_streams.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {
namespace {

/// The n-th id of a client.
constexpr StreamId nth(std::uint32_t n) {
  return 2 * n + 1;
}

TEST(ClosedStreams, RememberExactlyTheLastOnes) {
  ClosedStreams closed;
  EXPECT_FALSE(closed.is_ignored(1));

  for (std::uint32_t n = 0; n < 3 * ClosedStreams::window; n += 3) {
    closed.remember(nth(n));
  }

  const std::uint32_t first = 2 * ClosedStreams::window;
  for (std::uint32_t n = first; n < 3 * ClosedStreams::window; ++n) {
    EXPECT_EQ(closed.is_ignored(nth(n)), n % 3 == 0) << n;
  }
  EXPECT_FALSE(closed.is_ignored(nth(3 * ClosedStreams::window)));
}

TEST(ClosedStreams, IgnoreAllUpToTheYoungestThatWasForgotten) {
  ClosedStreams closed;
  closed.remember(nth(10));
  closed.remember(nth(70));
  closed.remember(nth(ClosedStreams::window));  // the first word goes
  EXPECT_TRUE(closed.is_ignored(nth(10)));
  EXPECT_TRUE(closed.is_ignored(nth(9))) << "older than what was forgotten";
  EXPECT_FALSE(closed.is_ignored(nth(11)));
  EXPECT_TRUE(closed.is_ignored(nth(70)));

  closed.remember(nth(5 * ClosedStreams::window));  // all go

  EXPECT_TRUE(closed.is_ignored(nth(70)));
  EXPECT_TRUE(closed.is_ignored(nth(ClosedStreams::window)));
  EXPECT_FALSE(closed.is_ignored(nth(ClosedStreams::window + 1)));
}

TEST(ClosedStreams, AStreamThatIsResetLongAfterYoungerOnesIsIgnored) {
  ClosedStreams closed;
  closed.remember(nth(2 * ClosedStreams::window));

  closed.remember(nth(5));

  EXPECT_TRUE(closed.is_ignored(nth(5)));
  EXPECT_FALSE(closed.is_ignored(nth(6)));
  EXPECT_TRUE(closed.is_ignored(nth(2 * ClosedStreams::window)));
}

TEST(ClosedStreams, ReachTheHighestId) {
  ClosedStreams closed;

  closed.remember(max_stream_id);

  EXPECT_TRUE(closed.is_ignored(max_stream_id));
  EXPECT_FALSE(closed.is_ignored(max_stream_id - 2));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
