// SPDX-License-Identifier: Apache-2.0
// Settings: their bytes, and the ranges of RFC 9113 section 6.5.2 at their ends.
#include "http2/settings.hpp"

#include <gtest/gtest.h>

#include <array>
#include <optional>

namespace nearcall::inline v0::detail::http2 {
namespace {

/// The code that it is refused with, if it is.
std::optional<ErrorCode> refusal(SettingId id, std::uint32_t value, bool we_are_client = false) {
  PeerSettings settings;
  const Result<bool, Violation> applied = settings.apply({id, value}, we_are_client);
  if (applied) return std::nullopt;
  EXPECT_TRUE(applied.error().is_connection_error());
  return applied.error().code;
}

TEST(Settings, StandAsIdentifierAndValue) {
  std::array<std::byte, payload_size::setting> bytes{};
  store_setting(bytes.data(), {SettingId::initial_window_size, 0x0102'0304});
  EXPECT_EQ(as_text(bytes), std::string_view("\0\4\1\2\3\4", 6));
  EXPECT_EQ(load_setting(bytes.data()), (Setting{SettingId::initial_window_size, 0x0102'0304}));
}

TEST(Settings, HoldTheDefaultsOfTheRfc) {
  const PeerSettings settings;
  EXPECT_EQ(settings.header_table_size, 4096U);
  EXPECT_EQ(settings.max_concurrent_streams, 0xffff'ffffU);
  EXPECT_EQ(settings.initial_window_size, 65'535U);
  EXPECT_EQ(settings.max_frame_size, 16'384U);
  EXPECT_EQ(settings.max_header_list_size, 0xffff'ffffU);
}

TEST(Settings, AreTakenOverAtBothEndsOfTheirRanges) {
  PeerSettings settings;
  const auto take = [&](SettingId id, std::uint32_t value) {
    const auto applied = settings.apply({id, value}, /*we_are_client=*/false);
    EXPECT_TRUE(applied && *applied);
  };
  for (const std::uint32_t value : {0U, 0xffff'ffffU}) {
    take(SettingId::header_table_size, value);
    EXPECT_EQ(settings.header_table_size, value);
    take(SettingId::max_concurrent_streams, value);
    EXPECT_EQ(settings.max_concurrent_streams, value);
    take(SettingId::max_header_list_size, value);
    EXPECT_EQ(settings.max_header_list_size, value);
  }
  for (const std::uint32_t value : {0U, 0x7fff'ffffU}) {
    take(SettingId::initial_window_size, value);
    EXPECT_EQ(settings.initial_window_size, value);
  }
  for (const std::uint32_t value : {16'384U, 16'777'215U}) {
    take(SettingId::max_frame_size, value);
    EXPECT_EQ(settings.max_frame_size, value);
  }
  for (const std::uint32_t value : {0U, 1U}) {
    take(SettingId::enable_push, value);
    take(SettingId::enable_connect_protocol, value);
    take(SettingId::no_rfc7540_priorities, value);
  }
}

TEST(Settings, AreRefusedBeyondTheirRangesAndStayAsTheyWere) {
  EXPECT_EQ(refusal(SettingId::enable_push, 2), ErrorCode::protocol_error);
  EXPECT_EQ(refusal(SettingId::initial_window_size, 0x8000'0000), ErrorCode::flow_control_error);
  EXPECT_EQ(refusal(SettingId::max_frame_size, 16'383), ErrorCode::protocol_error);
  EXPECT_EQ(refusal(SettingId::max_frame_size, 16'777'216), ErrorCode::protocol_error);
  EXPECT_EQ(refusal(SettingId::enable_connect_protocol, 2), ErrorCode::protocol_error);
  EXPECT_EQ(refusal(SettingId::no_rfc7540_priorities, 2), ErrorCode::protocol_error);

  PeerSettings settings;
  EXPECT_FALSE(settings.apply({SettingId::max_frame_size, 1}, /*we_are_client=*/true));
  EXPECT_EQ(settings.max_frame_size, 16'384U);
}

TEST(Settings, AServerMayNotOfferPush) {
  EXPECT_EQ(refusal(SettingId::enable_push, 1, /*we_are_client=*/true), ErrorCode::protocol_error);
  EXPECT_EQ(refusal(SettingId::enable_push, 0, /*we_are_client=*/true), std::nullopt);
}

TEST(Settings, UnknownOnesAreLeftToOthers) {
  PeerSettings settings;
  for (const unsigned id : {0U, 7U, 10U, 0xfe03U, 0xffffU}) {
    const auto applied = settings.apply({static_cast<SettingId>(id), 5}, /*we_are_client=*/true);
    ASSERT_TRUE(applied);
    EXPECT_FALSE(*applied) << id;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
