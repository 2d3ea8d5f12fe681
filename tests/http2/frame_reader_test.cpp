// SPDX-License-Identifier: Apache-2.0
// FrameReader: the same frames however the bytes are cut; nothing more is kept than has to be.
#include "http2/frame_reader.hpp"

#include "http2/common.hpp"
#include "support/frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using Step = FrameReader::Step;
using testing::ElementsAre;

using test::limits;

/// What a reader makes of bytes that come `chunk` at a time, in words.
std::vector<std::string> read(std::string_view bytes,
                              std::size_t chunk,
                              const ConnectionLimits& held_to = limits,
                              std::uint32_t max_frame_size = 16'384) {
  FrameReader reader(held_to, max_frame_size);
  std::vector<std::string> words;
  std::string pieces;
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, chunk);
    bytes.remove_prefix(part.size());
    // Memory of its own, so that a sanitizer sees what is read too late.
    const auto copy = std::make_unique<std::byte[]>(part.size());
    std::ranges::copy(as_bytes(part), copy.get());
    reader.feed({copy.get(), part.size()});
    for (Step step = reader.next(); step != Step::need_input; step = reader.next()) {
      if (step == Step::violation) {
        words.push_back("violation " + std::string(to_string(reader.violation().code)));
        return words;
      }
      const FrameReader::Frame& frame = reader.frame();
      if (frame.begins) pieces = std::string(to_string(frame.header.type));
      if (frame.begins) pieces += " " + std::to_string(frame.header.stream) + " ";
      const bool is_padded_data = frame.header.type == FrameType::data && frame.padding > 0;
      if (frame.begins && is_padded_data) pieces += "+" + std::to_string(frame.padding) + " ";
      pieces += as_text(frame.payload);
      if (frame.ends) words.push_back(pieces);
    }
  }
  return words;
}

std::vector<std::string> read_all_ways(std::string_view bytes,
                                       const ConnectionLimits& held_to = limits) {
  const std::vector<std::string> words = read(bytes, bytes.size(), held_to);
  for (std::size_t chunk = 1; chunk < bytes.size() && chunk < 40; ++chunk) {
    EXPECT_EQ(read(bytes, chunk, held_to), words) << "in chunks of " << chunk;
  }
  return words;
}

TEST(FrameReader, ReadsFramesHoweverTheyAreCut) {
  EXPECT_THAT(read_all_ways(settings() + ping("12345678") + data(1, "hello") + data(3, "") +
                            padded_data(1, "abc", 4) + padded_data(1, "", 0) +
                            raw(FrameType::headers, flag::end_headers, 5, "block")),
              ElementsAre("SETTINGS 0 ", "PING 0 12345678", "DATA 1 hello", "DATA 3 ",
                          "DATA 1 +5 abc", "DATA 1 +1 ", "HEADERS 5 block"));
}

TEST(FrameReader, JudgesEachFrameTheSameWholeAndByteByByte) {
  constexpr std::uint32_t max_frame_size = 20;
  constexpr std::uint8_t last_type = 10;  // which nobody knows
  ConnectionLimits strict;
  strict.max_header_block_size = 8;
  strict.max_unknown_payload = 8;
  std::size_t violations = 0;
  for (std::uint8_t type = 0; type <= last_type; ++type) {
    for (const unsigned flags : {0x00U, 0x01U, 0x04U, 0x05U, 0x08U, 0x0cU, 0x0dU, 0x24U, 0x2dU}) {
      for (const StreamId stream : {0U, 1U}) {
        for (const std::size_t length : {0U, 1U, 4U, 5U, 8U, 9U, 20U, 21U}) {
          const std::string bytes =
              settings() +
              raw(static_cast<FrameType>(type), static_cast<std::uint8_t>(flags), stream,
                  std::string(length, '\x02')) +
              data(1, "behind") + ping("12345678");
          const std::vector<std::string> at_once =
              read(bytes, bytes.size(), strict, max_frame_size);
          ASSERT_EQ(read(bytes, 1, strict, max_frame_size), at_once)
              << "type " << int{type} << ", flags " << flags << ", stream " << stream << ", length "
              << length;
          if (at_once.back().starts_with("violation")) ++violations;
        }
      }
    }
  }
  EXPECT_GT(violations, 500U);
}

TEST(FrameReader, HandsDataOutInThePiecesThatArrive) {
  FrameReader reader(limits, 16'384);
  const std::string bytes = settings() + padded_data(1, "abcdef", 2);
  reader.feed(as_bytes(bytes).first(9 + 9 + 1 + 2));
  ASSERT_EQ(reader.next(), Step::frame);
  ASSERT_EQ(reader.next(), Step::frame);
  EXPECT_EQ(as_text(reader.frame().payload), "ab");
  EXPECT_EQ(reader.frame().padding, 3U);
  EXPECT_TRUE(reader.frame().begins && !reader.frame().ends);
  ASSERT_EQ(reader.next(), Step::need_input);
  EXPECT_EQ(reader.direct_bytes(), 0U) << "padding follows";
  reader.feed(as_bytes(bytes).subspan(9 + 9 + 1 + 2));
  ASSERT_EQ(reader.next(), Step::frame);
  EXPECT_EQ(as_text(reader.frame().payload), "cdef");
  EXPECT_EQ(reader.frame().padding, 0U);
  EXPECT_TRUE(!reader.frame().begins && reader.frame().ends);
  EXPECT_EQ(reader.next(), Step::need_input);
}

TEST(FrameReader, CopiesNothingThatLiesWhole) {
  FrameReader reader(limits, 16'384);
  const std::string bytes = settings() + ping("12345678");
  reader.feed(as_bytes(bytes));
  ASSERT_EQ(reader.next(), Step::frame);
  ASSERT_EQ(reader.next(), Step::frame);
  EXPECT_EQ(as_text(reader.frame().payload).data(), bytes.data() + 18);
}

TEST(FrameReader, CountsBytesThatWereReadElsewhere) {
  FrameReader reader(limits, 16'384);
  const std::string bytes = settings() + data(1, "0123456789") + ping("12345678");
  reader.feed(as_bytes(bytes).first(9 + 9 + 3));
  reader.next();
  ASSERT_EQ(reader.next(), Step::frame);
  ASSERT_EQ(reader.next(), Step::need_input);
  EXPECT_EQ(reader.direct_bytes(), 7U);
  EXPECT_FALSE(reader.skip_direct(5).ends);
  EXPECT_EQ(reader.direct_bytes(), 2U);
  EXPECT_TRUE(reader.skip_direct(2).ends);
  EXPECT_EQ(reader.direct_bytes(), 0U);
  reader.feed(as_bytes(bytes).subspan(9 + 9 + 10));
  ASSERT_EQ(reader.next(), Step::frame);
  EXPECT_EQ(reader.frame().header.type, FrameType::ping);
}

TEST(FrameReader, SkipsUnknownFramesAndDebugDataBeyondTheirLimits) {
  ConnectionLimits small;
  small.max_unknown_payload = 4;
  small.max_goaway_debug = 3;
  EXPECT_THAT(read_all_ways(settings() + raw(static_cast<FrameType>(0xee), 0, 0, "1234") +
                                raw(static_cast<FrameType>(0xee), 0, 0, std::string(3000, 'x')) +
                                raw(FrameType::goaway, 0, 0, "aaaabbbbcccc") +
                                raw(FrameType::goaway, 0, 0, "aaaabbbbccc") + ping("12345678"),
                            small),
              ElementsAre("SETTINGS 0 ", "UNKNOWN 0 1234", "GOAWAY 0 aaaabbbbccc",
                          "GOAWAY 0 aaaabbbbccc", "PING 0 12345678"));
}

TEST(FrameReader, JudgesAFrameByItsHeaderAlone) {
  EXPECT_THAT(read_all_ways(settings() + raw(FrameType::ping, 0, 0, "", 7)),
              ElementsAre("SETTINGS 0 ", "violation FRAME_SIZE_ERROR"));
  EXPECT_THAT(read_all_ways(settings() + raw(FrameType::data, 0, 1, "", 16'385)),
              ElementsAre("SETTINGS 0 ", "violation FRAME_SIZE_ERROR"));
  EXPECT_THAT(read_all_ways(ping("12345678")), ElementsAre("violation PROTOCOL_ERROR"));
}

TEST(FrameReader, RemembersTheOpenHeaderBlock) {
  const std::string begun = settings() + raw(FrameType::headers, 0, 1, "a");
  EXPECT_THAT(
      read_all_ways(begun + continuation(1, "b", 0) + continuation(1, "c") + ping("12345678")),
      ElementsAre("SETTINGS 0 ", "HEADERS 1 a", "CONTINUATION 1 b", "CONTINUATION 1 c",
                  "PING 0 12345678"));
  EXPECT_THAT(read_all_ways(begun + ping("12345678")),
              ElementsAre("SETTINGS 0 ", "HEADERS 1 a", "violation PROTOCOL_ERROR"));
  EXPECT_THAT(
      read_all_ways(begun + continuation(1, "b") + continuation(1, "c")),
      ElementsAre("SETTINGS 0 ", "HEADERS 1 a", "CONTINUATION 1 b", "violation PROTOCOL_ERROR"));
}

TEST(FrameReader, RefusesPaddingThatLeavesNoRoomForItself) {
  EXPECT_THAT(read_all_ways(settings() + raw(FrameType::data, flag::padded, 1,
                                             "\x04"
                                             "abc")),
              ElementsAre("SETTINGS 0 ", "violation PROTOCOL_ERROR"));
  EXPECT_THAT(read_all_ways(settings() + raw(FrameType::data, flag::padded, 1,
                                             "\x03"
                                             "abc")),
              ElementsAre("SETTINGS 0 ", "DATA 1 +4 "));
}

TEST(FrameReader, KeepsAHalfFrameThroughATrim) {
  FrameReader reader(limits, 16'384);
  const std::string bytes = settings() + ping("12345678");
  for (const char& byte : bytes) {
    reader.feed(as_bytes(std::string_view(&byte, 1)));
    const Step step = reader.next();
    if (step == Step::frame && reader.frame().header.type == FrameType::ping) {
      EXPECT_EQ(as_text(reader.frame().payload), "12345678");
      return;
    }
    reader.trim();
  }
  FAIL() << "the ping was lost";
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
