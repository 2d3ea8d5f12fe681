// SPDX-License-Identifier: Apache-2.0
// FrameOrder: SETTINGS first, and header blocks in one piece, for every type of frame.
#include "http2/frame_order.hpp"

#include "support/frames.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {
namespace {

constexpr FrameHeader first_settings{0, FrameType::settings, 0, 0};

std::string_view fault_of(const FrameOrder& order, const FrameHeader& header) {
  std::array<std::byte, frame_header_size> raw;
  store_frame_header(raw.data(), header);
  const Result<void, Violation> checked = order.check(header, raw.data());
  if (checked) return {};
  EXPECT_TRUE(checked.error().is_connection_error());
  EXPECT_EQ(checked.error().code, ErrorCode::protocol_error);
  return checked.error().what;
}

FrameOrder after_settings() {
  FrameOrder order;
  order.pass(first_settings);
  return order;
}

TEST(FrameOrder, OnlySettingsMayComeFirst) {
  const FrameOrder order;

  for (int number = 0; number < 256; ++number) {
    const FrameHeader header{0, static_cast<FrameType>(number), 0, 0};
    EXPECT_EQ(fault_of(order, header).empty(), header.type == FrameType::settings) << number;
  }
  EXPECT_EQ(fault_of(order, {0, FrameType::settings, frame_flag::ack, 0}),
            "the first frame is not SETTINGS");
}

TEST(FrameOrder, AwaitsSettingsUntilAllOfThemHaveCome) {
  FrameOrder order;
  EXPECT_EQ(fault_of(order, first_settings), "");
  EXPECT_TRUE(order.awaits_settings());

  order.pass(first_settings);

  EXPECT_FALSE(order.awaits_settings());
  EXPECT_FALSE(order.is_in_block());
}

TEST(FrameOrder, BetweenBlocksEverythingMayComeButAContinuation) {
  const FrameOrder order = after_settings();

  for (int number = 0; number < 256; ++number) {
    const FrameHeader header{0, static_cast<FrameType>(number), 0, 3};
    EXPECT_EQ(fault_of(order, header).empty(), header.type != FrameType::continuation) << number;
  }
}

TEST(FrameOrder, OnlyContinuationsOfTheSameStreamComeInsideABlock) {
  FrameOrder order = after_settings();
  order.pass({0, FrameType::headers, 0, 3});

  EXPECT_TRUE(order.is_in_block());
  for (int number = 0; number < 256; ++number) {
    const auto type = static_cast<FrameType>(number);
    EXPECT_EQ(fault_of(order, {0, type, 0, 3}).empty(), type == FrameType::continuation) << number;
    EXPECT_NE(fault_of(order, {0, type, 0, 1}), "") << number;
  }
}

TEST(FrameOrder, ABlockEndsWithTheFrameThatSaysSo) {
  FrameOrder order = after_settings();
  order.pass({0, FrameType::headers, frame_flag::end_headers, 1});
  EXPECT_FALSE(order.is_in_block());

  order.pass({0, FrameType::headers, frame_flag::end_stream, 3});
  order.pass({0, FrameType::continuation, 0, 3});
  EXPECT_TRUE(order.is_in_block());
  order.pass({0, FrameType::continuation, frame_flag::end_headers, 3});

  EXPECT_FALSE(order.is_in_block());
  EXPECT_EQ(fault_of(order, {0, FrameType::ping, 0, 0}), "");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
