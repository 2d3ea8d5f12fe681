// SPDX-License-Identifier: Apache-2.0
// FailingConnection: when it breaks, how, and that it stays so.
#include "support/failing_connection.hpp"

#include "support/io.hpp"
#include "transport/unix_socket.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

TEST(FailingConnection, FailsAfterTheGoodOperationsAndStaysSo) {
  auto pair = make_socketpair();
  ASSERT_TRUE(pair);
  Connection& peer = *pair->second;
  const auto error = std::make_error_code(std::errc::io_error);
  FailingConnection failing(std::move(pair->first), 2, error);

  EXPECT_EQ(write_once(failing, "a").count(), 1U);
  EXPECT_EQ(read_kind(failing), IoResult::Kind::would_block);  // moved nothing: not counted
  ASSERT_TRUE(write_all(peer, "b"));
  EXPECT_EQ(read_once(failing), "b");
  EXPECT_FALSE(failing.has_broken());

  EXPECT_EQ(write_once(failing, "c").error(), error);
  EXPECT_EQ(read_kind(failing), IoResult::Kind::failed);
  EXPECT_TRUE(failing.has_broken());
  EXPECT_TRUE(failing.prepare_wait(Interest::read).is_ready());
  EXPECT_EQ(read_once(peer), "a");
  EXPECT_EQ(read_kind(peer), IoResult::Kind::end_of_stream);
}

TEST(FailingConnection, WithoutAnErrorThePeerSeemsToHaveGone) {
  auto pair = make_socketpair();
  ASSERT_TRUE(pair);
  FailingConnection failing(std::move(pair->first), 0);

  EXPECT_EQ(read_kind(failing), IoResult::Kind::end_of_stream);
  EXPECT_EQ(write_once(failing, "a").error(), std::errc::broken_pipe);
}

}  // namespace
}  // namespace nearcall::test
