// SPDX-License-Identifier: Apache-2.0
// HeaderName: each name of the protocol, and its near misses.
#include "grpc/header_name.hpp"

#include <nearcall/metadata.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::pair<const char*, HeaderName> names[] = {
    {":authority", HeaderName::authority},
    {"content-length", HeaderName::content_length},
    {"content-type", HeaderName::content_type},
    {"grpc-accept-encoding", HeaderName::grpc_accept_encoding},
    {"grpc-encoding", HeaderName::grpc_encoding},
    {"grpc-message", HeaderName::grpc_message},
    {"grpc-message-type", HeaderName::grpc_message_type},
    {"grpc-status", HeaderName::grpc_status},
    {"grpc-status-details-bin", HeaderName::grpc_status_details},
    {"grpc-timeout", HeaderName::grpc_timeout},
    {"host", HeaderName::host},
    {":method", HeaderName::method},
    {":path", HeaderName::path},
    {":scheme", HeaderName::scheme},
    {":status", HeaderName::status},
    {"te", HeaderName::te},
    {"user-agent", HeaderName::user_agent},
};

TEST(HeaderName, KnowsEachNameOfTheProtocol) {
  for (const auto& [name, expected] : names) {
    EXPECT_EQ(header_name(name), expected) << name;
  }
}

TEST(HeaderName, ANameThatDiffersAnywhereIsCustom) {
  for (const auto& [name, expected] : names) {
    for (std::size_t at = 1; name[at] != '\0'; ++at) {
      std::string other = name;
      other[at] = '.';
      const bool is_pseudo = other[0] == ':';
      const HeaderName regular =
          other.starts_with("grpc-") ? HeaderName::reserved : HeaderName::custom;
      EXPECT_EQ(header_name(other), is_pseudo ? HeaderName::unknown_pseudo : regular);
    }
  }
}

TEST(HeaderName, UnknownPseudoHeadersAreProtocol) {
  EXPECT_EQ(header_name(":protocol"), HeaderName::unknown_pseudo);
  EXPECT_EQ(header_name(":"), HeaderName::unknown_pseudo);
}

TEST(HeaderName, NamesThatMetadataRefusesAsTheProtocolsAreNotCustom) {
  for (const char* const name :
       {"grpc-", "grpc-trace-bin", "grpc-foo", "te", "content-type", "user-agent", "host",
        "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
        "content-length", "http2-settings"}) {
    EXPECT_FALSE(Metadata().add(name, "x")) << name;
    EXPECT_NE(header_name(name), HeaderName::custom) << name;
  }
}

TEST(HeaderName, OtherNamesAreCustom) {
  for (const char* const name : {"x-request-id", "grpc", "grpcx-y", "a"}) {
    EXPECT_TRUE(Metadata().add(name, "x")) << name;
    EXPECT_EQ(header_name(name), HeaderName::custom) << name;
  }
  EXPECT_EQ(header_name(""), HeaderName::custom);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
