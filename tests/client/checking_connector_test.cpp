// SPDX-License-Identifier: Apache-2.0
// A connector of a function, and one that checks whom another one has reached.
#include "client/checking_connector.hpp"

#include "client/connect_attempt.hpp"
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

Task<Result<std::unique_ptr<Transport>>> make_socket(ConnectContext) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  co_return std::move(pair->first);
}

Result<std::unique_ptr<Transport>> connect(const std::shared_ptr<Connector>& connector) {
  return detail::connect_blocking(
      connector, ConnectContext("mine", detail::TimePoint::max(), std::stop_token()));
}

class CheckingConnectorTest : public LogCheckedTest {};

TEST_F(CheckingConnectorTest, HandsOverAServerThatIsExpected) {
  const auto connector = detail::make_checking_connector(
      detail::make_connector(ConnectCallback(&make_socket)), untrusted::anyone());

  EXPECT_TRUE(connect(connector).ok());
}

TEST_F(CheckingConnectorTest, HandsOverNoOtherOne) {
  const auto connector =
      detail::make_checking_connector(detail::make_connector(ConnectCallback(&make_socket)),
                                      PeerPolicy::group(static_cast<gid_t>(-2)));

  const Status status = connect(connector).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::wrong_server) << status.to_string();
}

TEST_F(CheckingConnectorTest, AnEmptyFunctionIsMisuseAndNotTheTarget) {
  const Channel channel("unix:/nowhere", ChannelOptions().connector(ConnectCallback()));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::failed_precondition) << status.to_string();
  EXPECT_EQ(status.reason(), StatusReason::misuse);
}

}  // namespace
}  // namespace nearcall::test
