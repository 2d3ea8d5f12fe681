// SPDX-License-Identifier: Apache-2.0
// InprocConnector: whom it finds, and what it says where it finds nobody or no room.
#include "transport/inproc_connector.hpp"

#include "transport/connecting.hpp"
#include "transport/inproc_port.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

class InprocConnectorTest : public testing::Test {
 protected:
  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string target_ = "inproc:" + name_;
  InprocConnector connector_{*Endpoint::parse(target_)};
};

TEST_F(InprocConnectorTest, NameThatNobodyHasIsRefused) {
  const auto connection = test::connect_now(connector_);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::unavailable);
  EXPECT_EQ(connection.error().reason(), StatusReason::no_server);
  EXPECT_EQ(connection.error().message(), target_ + ": connect: Connection refused");
}

TEST_F(InprocConnectorTest, FullBacklogIsWaitedForUntilThereIsRoom) {
  const auto port = InprocPort::open(name_, /*backlog=*/1);
  ASSERT_TRUE(port);
  ASSERT_TRUE(test::connect_now(connector_));
  test::PendingConnect pending(connector_, test::no_hurry());
  ASSERT_FALSE(pending.is_done_after_a_turn());

  ASSERT_NE((*port)->take(), nullptr);

  EXPECT_TRUE(pending.take());
  (*port)->close();
}

TEST_F(InprocConnectorTest, FullBacklogIsWaitedForUntilTheDeadlineOrACancellation) {
  const auto port = InprocPort::open(name_, /*backlog=*/1);
  ASSERT_TRUE(port);
  ASSERT_TRUE(test::connect_now(connector_));
  std::stop_source stop;
  stop.request_stop();

  const auto late = test::connect_now(connector_, test::no_time());
  const auto cancelled = test::connect_now(connector_, test::no_hurry(stop.get_token()));

  EXPECT_EQ(late.status().message(),
            target_ + ": connect: the server's backlog was full until the deadline");
  EXPECT_EQ(late.status().reason(), StatusReason::limit);
  EXPECT_EQ(cancelled.status().code(), StatusCode::cancelled);
  (*port)->close();
}

TEST_F(InprocConnectorTest, PortThatClosesWhileOneWaitsForRoomRefuses) {
  const auto port = InprocPort::open(name_, /*backlog=*/1);
  ASSERT_TRUE(port);
  ASSERT_TRUE(test::connect_now(connector_));
  test::PendingConnect pending(connector_, test::no_hurry());
  ASSERT_FALSE(pending.is_done_after_a_turn());

  (*port)->close();

  EXPECT_EQ(pending.take().status().reason(), StatusReason::no_server);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
