// SPDX-License-Identifier: Apache-2.0
// HeaderBlockInput: what of HEADERS and CONTINUATION is the block, and its limits at their ends.
#include "http2/header_block_input.hpp"

#include "http2/common.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {
namespace {

using BlockStep = HeaderBlockInput::Step;
using test::limits;

HeaderBlockInput::Frame block_frame(FrameType type, std::uint8_t flags, std::string_view payload) {
  HeaderBlockInput::Frame frame;
  frame.header = {static_cast<std::uint32_t>(payload.size()), type, flags, 3};
  frame.payload = as_bytes(payload);
  return frame;
}
HeaderBlockInput::Frame headers_frame(std::uint8_t flags, std::string_view payload) {
  return block_frame(FrameType::headers, flags, payload);
}
HeaderBlockInput::Frame continuation_frame(std::uint8_t flags, std::string_view payload) {
  return block_frame(FrameType::continuation, flags, payload);
}

TEST(HeaderBlockInput, ABlockInOneFrameLiesWhereItCame) {
  HeaderBlockInput input(limits);
  const std::string payload = "block";

  ASSERT_EQ(input.begin(headers_frame(frame_flag::end_headers, payload)), BlockStep::block);

  EXPECT_EQ(as_text(input.block()).data(), payload.data());
  EXPECT_EQ(as_text(input.block()), "block");
  EXPECT_FALSE(input.ends_stream());
}

TEST(HeaderBlockInput, PiecesArePutTogether) {
  HeaderBlockInput input(limits);

  ASSERT_EQ(input.begin(headers_frame(frame_flag::end_stream, "one ")), BlockStep::more);
  ASSERT_EQ(input.go_on(continuation_frame(0, "two ")), BlockStep::more);
  ASSERT_EQ(input.go_on(continuation_frame(frame_flag::end_headers, "three")), BlockStep::block);

  EXPECT_EQ(as_text(input.block()), "one two three");
  EXPECT_TRUE(input.ends_stream()) << "as its HEADERS said";
}

TEST(HeaderBlockInput, PaddingAndPriorityAreNoPartOfTheBlock) {
  using namespace std::string_view_literals;
  constexpr std::uint8_t flags =
      frame_flag::end_headers | frame_flag::padded | frame_flag::priority;
  HeaderBlockInput input(limits);

  ASSERT_EQ(input.begin(headers_frame(flags,
                                      "\x02\0\0\0\x05\x10"
                                      "block\0\0"sv)),
            BlockStep::block);
  EXPECT_EQ(as_text(input.block()), "block");
  EXPECT_FALSE(input.depends_on_itself());

  ASSERT_EQ(input.begin(headers_frame(flags,
                                      "\0\x80\0\0\x03\x10"
                                      "block"sv)),
            BlockStep::block);
  EXPECT_TRUE(input.depends_on_itself());

  ASSERT_EQ(input.begin(headers_frame(frame_flag::end_headers, "block")), BlockStep::block);
  EXPECT_FALSE(input.depends_on_itself()) << "that was the block before";
}

TEST(HeaderBlockInput, PaddingAndPriorityHaveToFit) {
  using namespace std::string_view_literals;
  const auto fault_of = [](std::uint8_t flags, std::string_view payload) {
    HeaderBlockInput input(limits);
    EXPECT_EQ(input.begin(headers_frame(flags | frame_flag::end_headers, payload)),
              BlockStep::violation);
    EXPECT_TRUE(input.violation().is_connection_error());
    return input.violation().code;
  };
  EXPECT_EQ(fault_of(frame_flag::padded, ""), ErrorCode::frame_size_error);
  EXPECT_EQ(fault_of(frame_flag::padded, "\x01"), ErrorCode::protocol_error);
  EXPECT_EQ(fault_of(frame_flag::priority, "1234"), ErrorCode::frame_size_error);
  EXPECT_EQ(fault_of(frame_flag::padded | frame_flag::priority, "\x01\0\0\0\x05\x10"sv),
            ErrorCode::protocol_error);
}

TEST(HeaderBlockInput, IsHeldToTheBlocksSizeInOneFrameAndInPieces) {
  ConnectionLimits small;
  small.max_header_block_size = 10;
  HeaderBlockInput input(small);

  EXPECT_EQ(input.begin(headers_frame(frame_flag::end_headers, "0123456789")), BlockStep::block);
  EXPECT_EQ(input.begin(headers_frame(0, "01234")), BlockStep::more);
  EXPECT_EQ(input.go_on(continuation_frame(frame_flag::end_headers, "56789")), BlockStep::block);

  EXPECT_EQ(input.begin(headers_frame(frame_flag::end_headers, "0123456789a")),
            BlockStep::violation);
  EXPECT_EQ(input.begin(headers_frame(0, "0123456789a")), BlockStep::violation);
  EXPECT_EQ(input.begin(headers_frame(0, "01234")), BlockStep::more);
  EXPECT_EQ(input.go_on(continuation_frame(0, "56789a")), BlockStep::violation);
  EXPECT_EQ(input.violation().code, ErrorCode::enhance_your_calm);
  EXPECT_NE(input.violation().what.find("max_header_block_size"), std::string_view::npos);
}

TEST(HeaderBlockInput, CountsTheContinuationsOfEachBlock) {
  ConnectionLimits small;
  small.max_continuations = 2;
  HeaderBlockInput input(small);

  for (int block = 0; block < 2; ++block) {
    EXPECT_EQ(input.begin(headers_frame(0, "a")), BlockStep::more);
    EXPECT_EQ(input.go_on(continuation_frame(0, "")), BlockStep::more);
    EXPECT_EQ(input.go_on(continuation_frame(frame_flag::end_headers, "b")), BlockStep::block);
  }
  EXPECT_EQ(input.begin(headers_frame(0, "a")), BlockStep::more);
  EXPECT_EQ(input.go_on(continuation_frame(0, "")), BlockStep::more);
  EXPECT_EQ(input.go_on(continuation_frame(0, "")), BlockStep::more);
  EXPECT_EQ(input.go_on(continuation_frame(frame_flag::end_headers, "")), BlockStep::violation);
  EXPECT_EQ(input.violation().code, ErrorCode::enhance_your_calm);
}

TEST(HeaderBlockInput, WaitsSinceItWasNotedFirstAndUntilTheBlockIsComplete) {
  const TimePoint now{std::chrono::hours(1)};
  HeaderBlockInput input(limits);
  EXPECT_EQ(input.waits_since(), no_deadline);

  EXPECT_EQ(input.begin(headers_frame(0, "a")), BlockStep::more);
  input.note_waiting(now);
  EXPECT_EQ(input.go_on(continuation_frame(0, "b")), BlockStep::more);
  input.note_waiting(now + std::chrono::seconds(1));
  EXPECT_EQ(input.waits_since(), now);

  EXPECT_EQ(input.go_on(continuation_frame(frame_flag::end_headers, "c")), BlockStep::block);
  EXPECT_EQ(input.waits_since(), no_deadline);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
