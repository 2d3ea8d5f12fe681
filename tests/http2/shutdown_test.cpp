// SPDX-License-Identifier: Apache-2.0
// Shutdown: each step from each state, of either side.
#include "http2/shutdown.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(Shutdown, NothingIsSaidBeforeItBegins) {
  const Shutdown shutdown;

  EXPECT_FALSE(shutdown.said());
  EXPECT_FALSE(shutdown.is_announced());
  EXPECT_FALSE(shutdown.opens_none());
  EXPECT_FALSE(shutdown.is_refused(1));
}

TEST(Shutdown, AnnouncedOnceAndStreamsStillCount) {
  Shutdown shutdown;

  EXPECT_TRUE(shutdown.announce());
  EXPECT_FALSE(shutdown.announce());

  EXPECT_EQ(shutdown.said(), max_stream_id);
  EXPECT_TRUE(shutdown.is_announced());
  EXPECT_TRUE(shutdown.opens_none());
  EXPECT_FALSE(shutdown.is_closed());
  EXPECT_FALSE(shutdown.is_refused(max_stream_id));
}

TEST(Shutdown, ClosedNamesTheLastStreamAndRefusesThoseBeyond) {
  Shutdown shutdown;
  shutdown.announce();

  EXPECT_EQ(shutdown.close(5), 5U);

  EXPECT_EQ(shutdown.said(), 5U);
  EXPECT_TRUE(shutdown.is_closed());
  EXPECT_FALSE(shutdown.is_refused(5));
  EXPECT_TRUE(shutdown.is_refused(7));
  EXPECT_FALSE(shutdown.announce()) << "that would raise the last id";
}

TEST(Shutdown, TheLastIdOnlyFalls) {
  Shutdown shutdown;
  EXPECT_EQ(shutdown.close(5), 5U);

  EXPECT_EQ(shutdown.close(9), 5U);
  EXPECT_EQ(shutdown.lowered(9), 5U);
  EXPECT_EQ(shutdown.lowered(3), 3U);
  EXPECT_EQ(shutdown.close(3), 3U);
}

TEST(Shutdown, ThePeersGoawayEndsOpeningAndItsLastIdOnlyFalls) {
  Shutdown shutdown;

  EXPECT_TRUE(shutdown.receive(max_stream_id, ErrorCode::no_error));
  EXPECT_TRUE(shutdown.opens_none());
  EXPECT_FALSE(shutdown.is_announced()) << "that is ours";
  EXPECT_TRUE(shutdown.receive(7, ErrorCode::no_error));
  EXPECT_TRUE(shutdown.receive(7, ErrorCode::enhance_your_calm));
  EXPECT_EQ(shutdown.their_code(), ErrorCode::enhance_your_calm);

  const auto raised = shutdown.receive(9, ErrorCode::no_error);
  ASSERT_FALSE(raised);
  EXPECT_TRUE(raised.error().is_connection_error());
  EXPECT_EQ(raised.error().code, ErrorCode::protocol_error);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
