// SPDX-License-Identifier: Apache-2.0
// TcpListener: real ports, peers without credentials, and restarts.
#include "transport/tcp_listener.hpp"

#include "support/io.hpp"
#include "transport/listening.hpp"
#include "transport/socket_transport.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace nearcall::inline v0::detail {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* any_port = "ipv4:127.0.0.1:0";

Endpoint listening_endpoint(const std::string& target) {
  return *Endpoint::parse(target);
}

/// Blocks until the handshake is done.
UniqueFd connected_to_tcp(const std::string& target) {
  const SocketAddress address(listening_endpoint(target));
  UniqueFd socket(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address.get(), address.size()) != 0) socket.reset();
  return socket;
}

TEST(TcpListener, PortZeroBecomesTheRealPort) {
  TcpListener listener(listening_endpoint(any_port));

  ASSERT_TRUE(listener.bind());

  EXPECT_THAT(listener.address(), StartsWith("ipv4:127.0.0.1:"));
  EXPECT_THAT(listener.address(), Not(EndsWith(":0")));
  EXPECT_TRUE(connected_to_tcp(listener.address()));
}

TEST(TcpListener, ListensOnIpv6) {
  TcpListener listener(listening_endpoint("ipv6:[::1]:0"));
  if (const auto bound = listener.bind(); !bound) GTEST_SKIP() << bound.error().to_string();

  EXPECT_TRUE(connected_to_tcp(listener.address())) << listener.address();
}

TEST(TcpListener, PeerHasAnAddressAndNoCredentials) {
  TcpListener listener(listening_endpoint(any_port));
  ASSERT_TRUE(listener.bind());
  const UniqueFd client = connected_to_tcp(listener.address());
  ASSERT_TRUE(client);

  const auto accepted = listener.try_accept();

  ASSERT_TRUE(accepted && *accepted);
  EXPECT_FALSE((*accepted)->peer().has_credentials());
  EXPECT_EQ((*accepted)->peer().address(), SocketAddress::local(client.get()).to_string());
}

TEST(TcpListener, SmallSegmentsAreSentAtOnce) {
  TcpListener listener(listening_endpoint(any_port));
  ASSERT_TRUE(listener.bind());
  const UniqueFd client = connected_to_tcp(listener.address());
  const auto accepted = listener.try_accept();
  ASSERT_TRUE(accepted && *accepted);

  int no_delay = 0;
  socklen_t size = sizeof no_delay;
  const int fd = dynamic_cast<SocketTransport&>(**accepted).fd();
  ASSERT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &size), 0);
  EXPECT_EQ(no_delay, 1);
}

TEST(TcpListener, PortInUseIsRefusedByName) {
  TcpListener first(listening_endpoint(any_port));
  ASSERT_TRUE(first.bind());
  TcpListener second(listening_endpoint(first.address()));

  const auto bound = second.bind();

  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code(), StatusCode::unavailable);
  EXPECT_EQ(bound.error().message(), first.address() + ": bind: Address already in use");
}

TEST(TcpListener, RestartNeedNotWaitForOldConnections) {
  std::string address;
  {
    TcpListener first(listening_endpoint(any_port));
    ASSERT_TRUE(first.bind());
    address = first.address();
    const UniqueFd client = connected_to_tcp(address);
    auto accepted = first.try_accept();
    ASSERT_TRUE(accepted && *accepted);
    accepted->reset();  // the server closes first: its end goes to TIME_WAIT
  }
  TcpListener second(listening_endpoint(address));

  EXPECT_TRUE(second.bind().ok());
}

TEST(TcpListener, UnbindRefusesNewConnectionsAndKeepsTheOthers) {
  TcpListener listener(listening_endpoint(any_port));
  ASSERT_TRUE(listener.bind());
  const UniqueFd client = connected_to_tcp(listener.address());
  const auto accepted = listener.try_accept();
  ASSERT_TRUE(accepted && *accepted);

  listener.unbind();

  EXPECT_FALSE(connected_to_tcp(listener.address()));
  EXPECT_EQ(test::write_once(**accepted, "x").kind(), IoResult::Kind::bytes);
  EXPECT_EQ(*listener.try_accept(), nullptr);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
