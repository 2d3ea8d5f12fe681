// SPDX-License-Identifier: Apache-2.0
// SocketAddress: exact lengths, and the way back to a target.
#include "transport/socket_address.hpp"

#include <gtest/gtest.h>
#include <sys/un.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t header = offsetof(sockaddr_un, sun_path);

SocketAddress address_of(std::string_view target) {
  const auto endpoint = Endpoint::parse(target);
  return SocketAddress(*endpoint);
}

TEST(SocketAddress, TurnsBackIntoTheTarget) {
  for (const std::string_view target :
       {std::string_view("unix:/run/x.sock"), std::string_view("unix-abstract:x"),
        std::string_view("unix-abstract:a%00b"), std::string_view("ipv4:127.0.0.1:50051"),
        std::string_view("ipv6:[::1]:50051"), std::string_view("vsock:1:4294967295")}) {
    EXPECT_EQ(address_of(target).to_string(), target);
  }
}

TEST(SocketAddress, UnixLengthsAreExact) {
  EXPECT_EQ(address_of("unix:/ab").size(), header + 4);           // with its NUL
  EXPECT_EQ(address_of("unix-abstract:abc").size(), header + 4);  // with the NUL in front
}

TEST(SocketAddress, LongestNamesFillTheStructure) {
  const std::string name(107, 'x');

  EXPECT_EQ(address_of("unix:" + name).size(), sizeof(sockaddr_un));
  EXPECT_EQ(address_of("unix:" + name).to_string(), "unix:" + name);
  EXPECT_EQ(address_of("unix-abstract:" + name).size(), sizeof(sockaddr_un));
  EXPECT_EQ(address_of("unix-abstract:" + name).to_string(), "unix-abstract:" + name);
}

TEST(SocketAddress, UnknownAddressIsEmpty) {
  EXPECT_EQ(SocketAddress::local(-1).size(), 0U);
  EXPECT_EQ(SocketAddress::remote(-1).to_string(), "");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
