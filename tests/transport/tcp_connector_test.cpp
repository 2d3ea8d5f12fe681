// SPDX-License-Identifier: Apache-2.0
// TcpConnector: connected, refused, cancelled, too late.
#include "transport/tcp_connector.hpp"

#include "support/io.hpp"
#include "transport/connecting.hpp"
#include "transport/listening.hpp"
#include "transport/socket_transport.hpp"
#include "transport/tcp_listener.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace nearcall::inline v0::detail {
namespace {

Endpoint endpoint_of(const std::string& target) {
  return *Endpoint::parse(target);
}

class TcpConnectorTest : public testing::Test {
 protected:
  static ListenOptions shortest_backlog() { return ListenOptions().backlog(0); }
  void SetUp() override { ASSERT_TRUE(listener_.bind()); }
  Endpoint address() const { return endpoint_of(listener_.address()); }
  /// From now on the kernel drops the SYN of whoever connects.
  void fill_backlog() {
    const SocketAddress server(address());
    for (int i = 0; i < 4; ++i) {
      UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      const int connected = ::connect(socket.get(), server.get(), server.size());
      ASSERT_TRUE(connected == 0 || errno == EINPROGRESS);
      waiting_.push_back(std::move(socket));
    }
    // The first one gets through; with it in the queue no further one can.
    pollfd watched{waiting_.front().get(), POLLOUT, 0};
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
  }

  TcpListener listener_{endpoint_of("ipv4:127.0.0.1:0"), shortest_backlog()};
  std::vector<UniqueFd> waiting_;
};

TEST_F(TcpConnectorTest, ConnectsAndSendsSmallSegmentsAtOnce) {
  TcpConnector connector(address());

  const auto connection = test::connect_now(connector);

  ASSERT_TRUE(connection) << connection.error().to_string();
  EXPECT_EQ(test::write_once(**connection, "x").kind(), IoResult::Kind::bytes);
  EXPECT_EQ((*connection)->peer().address(), listener_.address());
  EXPECT_FALSE((*connection)->peer().has_credentials());
  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  const int fd = dynamic_cast<SocketTransport&>(**connection).fd();
  ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  EXPECT_EQ(no_delay, 1);
}

TEST_F(TcpConnectorTest, NobodyListensIsTold) {
  TcpConnector connector(address());
  listener_.unbind();

  const auto connection = test::connect_now(connector);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::unavailable);
  EXPECT_EQ(connection.error().message(), listener_.address() + ": connect: Connection refused");
}

TEST_F(TcpConnectorTest, CancellationEndsTheWaitAtOnce) {
  fill_backlog();
  TcpConnector connector(address());
  std::stop_source stop;
  test::PendingConnect connect(connector, test::no_hurry(stop.get_token()));
  ASSERT_FALSE(connect.is_done_after_a_turn());

  stop.request_stop();

  const auto connection = connect.take();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::cancelled);
}

TEST_F(TcpConnectorTest, DeadlineEndsTheWait) {
  fill_backlog();
  TcpConnector connector(address());

  const auto connection = test::connect_now(connector, test::no_time());

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().message(), listener_.address() + ": connect: Connection timed out");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
