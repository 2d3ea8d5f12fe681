// SPDX-License-Identifier: Apache-2.0
// StreamIds: idle, used, left out, reset.
#include "http2/stream_ids.hpp"

#include "http2/common.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using AbsentStream = StreamIds::Absent;

TEST(StreamIds, AClientTakesOddIdsInOrder) {
  StreamIds ids(test::client);
  EXPECT_TRUE(ids.is_idle(1));

  EXPECT_EQ(ids.take_next(), 1U);
  EXPECT_EQ(ids.take_next(), 3U);

  EXPECT_FALSE(ids.is_idle(1));
  EXPECT_FALSE(ids.is_idle(3));
  EXPECT_TRUE(ids.is_idle(5));
  EXPECT_FALSE(ids.opens(5)) << "a server opens none";
  EXPECT_EQ(ids.last_of_peer(), 0U);
}

TEST(StreamIds, TheLastIdIsTheHighestOddOne) {
  StreamIds ids(test::server);
  ids.open(max_stream_id - 2);
  EXPECT_TRUE(ids.has_next());
  EXPECT_TRUE(ids.opens(max_stream_id));

  ids.open(max_stream_id);

  EXPECT_FALSE(ids.has_next());
  EXPECT_EQ(ids.last_of_peer(), max_stream_id);
  EXPECT_FALSE(ids.is_idle(max_stream_id));
}

TEST(StreamIds, AServersAreOpenedByOddIdsThatGrow) {
  StreamIds ids(test::server);
  EXPECT_EQ(ids.last_of_peer(), 0U);
  EXPECT_TRUE(ids.opens(1));
  EXPECT_TRUE(ids.opens(7));
  EXPECT_FALSE(ids.opens(2));

  ids.open(7);

  EXPECT_EQ(ids.last_of_peer(), 7U);
  EXPECT_FALSE(ids.opens(7));
  EXPECT_FALSE(ids.opens(5));
  EXPECT_TRUE(ids.opens(9));
}

TEST(StreamIds, WhatWasLeftOutLastWasNeverUsed) {
  StreamIds ids(test::server);
  ids.open(1);
  ids.open(7);
  EXPECT_EQ(ids.absent(1), AbsentStream::closed);
  EXPECT_EQ(ids.absent(3), AbsentStream::idle);
  EXPECT_EQ(ids.absent(5), AbsentStream::idle);

  ids.open(9);

  EXPECT_EQ(ids.absent(7), AbsentStream::closed);
  EXPECT_EQ(ids.absent(5), AbsentStream::idle) << "9 left nothing out";
  EXPECT_EQ(ids.absent(11), AbsentStream::idle);
  EXPECT_EQ(ids.absent(4), AbsentStream::idle) << "no stream has an even id";
}

TEST(StreamIds, WhatWeResetIsIgnoredAndNothingElse) {
  StreamIds ids(test::server);
  ids.open(1);
  ids.open(3);
  ids.open(5);

  ids.remember_reset(3);

  EXPECT_EQ(ids.absent(1), AbsentStream::closed);
  EXPECT_EQ(ids.absent(3), AbsentStream::ignored);
  EXPECT_EQ(ids.absent(5), AbsentStream::closed);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
