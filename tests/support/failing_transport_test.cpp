// SPDX-License-Identifier: Apache-2.0
// FailingTransport: when it breaks, how, and that it stays so.
#include "support/failing_transport.hpp"

#include "support/io.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

TEST(FailingTransport, FailsAfterTheGoodOperationsAndStaysSo) {
  auto pair = detail::make_socketpair();
  ASSERT_TRUE(pair);
  Transport& peer = *pair->second;
  const auto error = std::make_error_code(std::errc::io_error);
  FailingTransport failing(std::move(pair->first), 2, error);

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

TEST(FailingTransport, WithoutAnErrorThePeerSeemsToHaveGone) {
  auto pair = detail::make_socketpair();
  ASSERT_TRUE(pair);
  FailingTransport failing(std::move(pair->first), 0);

  EXPECT_EQ(read_kind(failing), IoResult::Kind::end_of_stream);
  EXPECT_EQ(write_once(failing, "a").error(), std::errc::broken_pipe);
}

}  // namespace
}  // namespace nearcall::test
