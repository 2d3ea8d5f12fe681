// SPDX-License-Identifier: Apache-2.0
// FragmentingTransport: the limit holds in both directions.
#include "support/fragmenting_transport.hpp"

#include "support/io.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nearcall::test {
namespace {

TEST(FragmentingTransport, MovesAtMostSoManyBytesAtATime) {
  auto pair = detail::make_socketpair();
  ASSERT_TRUE(pair);
  FragmentingTransport fragmenting(std::move(pair->first), 3);
  Transport& peer = *pair->second;
  const std::array<iovec, 3> pieces{piece("a"), piece("bcd"), piece("e")};

  EXPECT_EQ(fragmenting.try_write(pieces).count(), 3U);
  EXPECT_EQ(read_once(peer), "abc");

  ASSERT_TRUE(write_all(peer, "12345"));
  EXPECT_EQ(read_once(fragmenting), "123");
  EXPECT_EQ(read_once(fragmenting), "45");
  EXPECT_EQ(read_kind(fragmenting), IoResult::Kind::would_block);
}

}  // namespace
}  // namespace nearcall::test
