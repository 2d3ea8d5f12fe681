// SPDX-License-Identifier: Apache-2.0
// Frame rules: what a frame's header alone shows, and the client's preface.
#include "http2/frame_rules.hpp"

#include "http2/common.hpp"
#include "support/frames.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;

using test::limits;

std::optional<ErrorCode> fault_of(const FrameHeader& header) {
  const Result<void, Violation> checked = check_frame_header(header, 16'384, limits);
  if (checked) return std::nullopt;
  EXPECT_TRUE(checked.error().is_connection_error());
  EXPECT_FALSE(checked.error().what.empty());
  return checked.error().code;
}

/// For each type: which lengths are right, and whether it belongs to a stream.
enum class Place { stream, connection, either };
struct Rule {
  FrameType type;
  Place place;
  std::uint32_t least;
  std::uint32_t most;
};
constexpr Rule rules[] = {
    {FrameType::data, Place::stream, 0, 16'384},
    {FrameType::headers, Place::stream, 0, 16'384},
    {FrameType::continuation, Place::stream, 0, 16'384},
    {FrameType::priority, Place::stream, 5, 5},
    {FrameType::rst_stream, Place::stream, 4, 4},
    {FrameType::ping, Place::connection, 8, 8},
    {FrameType::goaway, Place::connection, 8, 16'384},
    {FrameType::window_update, Place::either, 4, 4},
    {static_cast<FrameType>(0x42), Place::either, 0, 16'384},
};

TEST(FrameRules, LengthsAtTheirEnds) {
  for (const Rule& rule : rules) {
    const StreamId stream = rule.place == Place::connection ? 0 : 1;
    EXPECT_EQ(fault_of({rule.least, rule.type, 0, stream}), std::nullopt) << to_string(rule.type);
    EXPECT_EQ(fault_of({rule.most, rule.type, 0, stream}), std::nullopt) << to_string(rule.type);
    EXPECT_EQ(fault_of({rule.most + 1, rule.type, 0, stream}), ErrorCode::frame_size_error);
    if (rule.least == 0) continue;
    EXPECT_EQ(fault_of({rule.least - 1, rule.type, 0, stream}), ErrorCode::frame_size_error);
  }
}

TEST(FrameRules, StreamOrConnection) {
  for (const Rule& rule : rules) {
    const auto on_0 = fault_of({rule.least, rule.type, 0, 0});
    const auto on_1 = fault_of({rule.least, rule.type, 0, 1});
    EXPECT_EQ(on_0.has_value(), rule.place == Place::stream) << to_string(rule.type);
    EXPECT_EQ(on_1.has_value(), rule.place == Place::connection) << to_string(rule.type);
    EXPECT_EQ(on_0.value_or(ErrorCode::protocol_error), ErrorCode::protocol_error);
    EXPECT_EQ(on_1.value_or(ErrorCode::protocol_error), ErrorCode::protocol_error);
  }
}

TEST(FrameRules, Settings) {
  EXPECT_EQ(fault_of({0, FrameType::settings, 0, 0}), std::nullopt);
  EXPECT_EQ(fault_of({6, FrameType::settings, 0, 0}), std::nullopt);
  EXPECT_EQ(fault_of({5, FrameType::settings, 0, 0}), ErrorCode::frame_size_error);
  EXPECT_EQ(fault_of({7, FrameType::settings, 0, 0}), ErrorCode::frame_size_error);
  EXPECT_EQ(fault_of({0, FrameType::settings, flag::ack, 0}), std::nullopt);
  EXPECT_EQ(fault_of({6, FrameType::settings, flag::ack, 0}), ErrorCode::frame_size_error);
  EXPECT_EQ(fault_of({0, FrameType::settings, 0, 1}), ErrorCode::protocol_error);
  const std::uint32_t most = limits.max_settings_entries * 6;
  EXPECT_EQ(fault_of({most, FrameType::settings, 0, 0}), std::nullopt);
  EXPECT_EQ(fault_of({most + 6, FrameType::settings, 0, 0}), ErrorCode::enhance_your_calm);
}

TEST(FrameRules, PaddedDataHasAPadLength) {
  EXPECT_EQ(fault_of({1, FrameType::data, flag::padded, 1}), std::nullopt);
  EXPECT_EQ(fault_of({0, FrameType::data, flag::padded, 1}), ErrorCode::frame_size_error);
}

TEST(FrameRules, NobodyMayPush) {
  EXPECT_EQ(fault_of({20, FrameType::push_promise, 0, 1}), ErrorCode::protocol_error);
}

TEST(FrameRules, AHeaderBlockLimitWithoutBoundDoesNotWrapAround) {
  ConnectionLimits unbounded;
  unbounded.max_header_block_size = 0xffff'ffff;
  EXPECT_TRUE(check_frame_header({10'000, FrameType::headers, 0, 1}, 16'384, unbounded));
}

// ---- preface ------------------------------------------------------------------------------------

TEST(Preface, IsTakenOffTheFrontAndNothingElse) {
  const std::string bytes = preface() + "rest";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    PrefaceReader reader;
    ByteSpan first = as_bytes(bytes).first(cut);
    ByteSpan second = as_bytes(bytes).subspan(cut);
    const PrefaceReader::State after_first = reader.read(first);
    if (cut >= preface().size()) {
      EXPECT_EQ(after_first, PrefaceReader::State::complete);
      EXPECT_EQ(as_text(first), bytes.substr(24, cut - 24));
      continue;
    }
    EXPECT_EQ(after_first, PrefaceReader::State::incomplete) << cut;
    EXPECT_TRUE(first.empty());
    EXPECT_EQ(reader.read(second), PrefaceReader::State::complete);
    EXPECT_EQ(as_text(second), "rest");
  }
}

TEST(Preface, IsRefusedAtTheFirstWrongByte) {
  for (std::size_t at = 0; at < preface().size(); ++at) {
    std::string bytes = preface().substr(0, at + 1);
    bytes[at] = '!';
    ByteSpan input = as_bytes(bytes);
    PrefaceReader reader;
    EXPECT_EQ(reader.read(input), PrefaceReader::State::wrong) << at;
    EXPECT_EQ(reader.what(), "not HTTP/2");
  }
}

TEST(Preface, TellsHttp1AndTlsAsSoonAsItIsClear) {
  const auto first_verdict = [](std::string_view bytes) {
    PrefaceReader reader;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      ByteSpan input = as_bytes(bytes.substr(i, 1));
      if (reader.read(input) == PrefaceReader::State::wrong) {
        return std::to_string(i + 1) + " " + std::string(reader.what());
      }
    }
    return std::string("none");
  };
  EXPECT_EQ(first_verdict("GET / HTTP/1.1"), "4 HTTP/1.1 request");
  EXPECT_EQ(first_verdict("POST /"), "5 HTTP/1.1 request");
  EXPECT_EQ(first_verdict("PUT /"), "4 HTTP/1.1 request");
  EXPECT_EQ(first_verdict("PATCH /"), "6 HTTP/1.1 request");
  EXPECT_EQ(first_verdict("\x16\x03\x01"), "2 TLS ClientHello");
  EXPECT_EQ(first_verdict("\x16\x04"), "2 not HTTP/2");
  EXPECT_EQ(first_verdict("PRO"), "3 not HTTP/2");
}

TEST(FirstFrame, IsSettings) {
  const auto what = [](const std::string& frame) {
    const auto* const raw_header = as_bytes(frame).data();
    const auto checked = check_first_frame(load_frame_header(raw_header), raw_header);
    return checked ? std::string_view() : checked.error().what;
  };
  EXPECT_EQ(what(settings()), "");
  EXPECT_EQ(what(settings_ack()), "the first frame is not SETTINGS");
  EXPECT_EQ(what(ping("12345678")), "the first frame is not SETTINGS");
  EXPECT_EQ(what(raw(static_cast<FrameType>(0xee), 0, 0, "")), "not HTTP/2");
  EXPECT_EQ(what("HTTP/1.1 200 OK"), "HTTP/1.1 response");
  EXPECT_EQ(what("\x15\x03\x03\x01\x02\x03\x04\x05\x06"), "TLS record");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
