// SPDX-License-Identifier: Apache-2.0
// The one connection that a connected socket is.
#include "transport/inherited_connector.hpp"

#include "support/io.hpp"
#include "transport/connecting.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nearcall::inline v0::detail {
namespace {

TEST(InheritedConnector, HandsItsSocketOverOnce) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  const UniqueFd server(fds[0]);
  const auto socket = InheritedSocket::inspect(fds[1], "fd:3");
  ASSERT_TRUE(socket);
  InheritedConnector connector(*socket);

  const auto first = test::connect_now(connector);
  const auto second = test::connect_now(connector);

  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ((*first)->peer().address(), "fd:3");
  ASSERT_TRUE(test::write_all(**first, "x"));
  char byte = 0;
  EXPECT_EQ(::read(server.get(), &byte, 1), 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), StatusCode::unavailable);
  EXPECT_EQ(second.error().message(),
            "fd:3: it is one connection, which this channel has used already");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
