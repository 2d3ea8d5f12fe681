// SPDX-License-Identifier: Apache-2.0
// Conformance of a server with RFC 9113, sections 3 to 7: every case that h2spec plays, and more.
#include "http2/conformance.hpp"

#include "http2/common.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::expect_conformance;
using test::request;
using Rows = std::vector<test::Conformance>;

using test::end_both;
/// A request that has ended: the stream is half-closed (remote).
std::string whole_request(StreamId id) {
  return request(id, end_both);
}
FrameType type(int number) {
  return static_cast<FrameType>(number);
}
std::string with_pad(
    FrameType of_type, std::uint8_t flags, StreamId id, char pad, std::string rest) {
  return raw(of_type, flags | flag::padded, id, std::string(1, pad) + rest);
}
std::string priority_field(StreamId depends_on, bool exclusive = false) {
  return be32(depends_on | (exclusive ? 0x8000'0000U : 0U)) + '\x10';
}
std::string reserved_bit_set(std::string frame) {
  frame[5] = static_cast<char>(frame[5] | '\x80');
  return frame;
}

/// Stream 1 is closed: request and response are complete.
void answer_1(test::ScriptedPeer& peer) {
  peer.says(whole_request(1));
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
}
void answer_and_release_1(test::ScriptedPeer& peer) {
  answer_1(peer);
  peer.session().release(peer.stream(1));
}
void reset_1(test::ScriptedPeer& peer) {
  peer.says(request(1));
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
}
void shut_down_at_1(test::ScriptedPeer& peer) {
  peer.says(whole_request(1));
  peer.session().send_goaway(ErrorCode::no_error, "");
}

TEST(Conformance, Section3ConnectionPreface) {
  struct Opening {
    std::string bytes;
    std::string_view reaction;
  };
  const std::vector<Opening> openings = {
      {preface() + settings(), "SETTINGS, SETTINGS ACK"},
      {preface() + settings({{SettingId::enable_push, 0}}), "SETTINGS, SETTINGS ACK"},
      {"INVALID CONNECTION PREFACE\r\n\r\n", "closed"},
      {preface() + ping("12345678"), "connection PROTOCOL_ERROR"},
      {preface() + settings_ack(), "connection PROTOCOL_ERROR"},
      {preface() + request(1), "connection PROTOCOL_ERROR"},
      {preface() + raw(type(0xee), 0, 0, "unknown"), "connection PROTOCOL_ERROR"},
  };
  for (const Opening& opening : openings) {
    for (const test::Cut cut : {test::whole, test::byte_by_byte}) {
      test::ScriptedPeer peer(Role::server, {}, cut);
      peer.says(opening.bytes);
      EXPECT_EQ(test::reaction_of(peer), opening.reaction) << opening.bytes;
    }
  }
}

TEST(Conformance, Section4Frames) {
  const std::string request_in_halves = headers(1, request_block().substr(0, 9), flag::end_stream);
  const std::string rest_of_request = request_block().substr(9);
  const std::uint32_t max_frame = SessionOptions().max_frame_size;
  expect_conformance(
      Role::server,
      Rows{
          {"4.1", "unknown type", raw(type(0x16), 0, 0, "12345678"), "nothing"},
          {"4.1", "unknown type on an idle stream", raw(type(0x16), 0xff, 9, ""), "nothing"},
          {"4.1", "undefined flags", ping("12345678", 0x16), "PING 12345678 ACK"},
          {"4.1", "undefined flags of a request", request(1, 0xd2 | flag::end_headers), "nothing"},
          {"4.1", "reserved bit", reserved_bit_set(ping("12345678")), "PING 12345678 ACK"},
          {"4.1", "reserved bit of a request", reserved_bit_set(request(1)), "nothing"},
          {"4.2", "DATA of 2^14", request(1) + data(1, std::string(16'384, 'x')), "nothing"},
          {"4.2", "DATA of MAX_FRAME_SIZE", request(1) + data(1, std::string(max_frame, 'x')),
           "nothing"},
          {"4.2", "DATA above MAX_FRAME_SIZE",
           request(1) + raw(FrameType::data, 0, 1, "", max_frame + 1),
           "connection FRAME_SIZE_ERROR"},
          {"4.2", "HEADERS above MAX_FRAME_SIZE", raw(FrameType::headers, 4, 1, "", max_frame + 1),
           "connection FRAME_SIZE_ERROR"},
          {"4.2", "an unknown frame above MAX_FRAME_SIZE", raw(type(0x16), 0, 0, "", 0xff'ffff),
           "connection FRAME_SIZE_ERROR"},
          {"4.3", "a broken block", headers(1, "\x40\x01x"), "connection COMPRESSION_ERROR"},
          {"4.3", "an empty block", headers(1, ""), "stream 1 PROTOCOL_ERROR"},
          {"4.3", "PRIORITY inside a block", request_in_halves + priority(1, 0),
           "connection PROTOCOL_ERROR"},
          {"4.3", "HEADERS of another stream inside a block", request_in_halves + request(3),
           "connection PROTOCOL_ERROR"},
          {"4.3", "HEADERS of the same stream inside a block",
           request_in_halves + headers(1, rest_of_request), "connection PROTOCOL_ERROR"},
          {"4.3", "CONTINUATION of another stream inside a block",
           request_in_halves + continuation(3, rest_of_request), "connection PROTOCOL_ERROR"},
          {"4.3", "a block in pieces", request_in_halves + continuation(1, rest_of_request),
           "nothing"},
          {"5.5", "an unknown frame inside a block", request_in_halves + raw(type(0x16), 0, 1, ""),
           "connection PROTOCOL_ERROR"},
          {"5.5", "an unknown frame", raw(type(0xff), 0, 0, std::string(100, 'x')), "nothing"},
      });
}

TEST(Conformance, Section51IdleStreams) {
  expect_conformance(
      Role::server,
      Rows{
          {"5.1", "idle: DATA", data(1, "x"), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: RST_STREAM", rst_stream(1, ErrorCode::cancel),
           "connection PROTOCOL_ERROR"},
          {"5.1", "idle: WINDOW_UPDATE", window_update(1, 100), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: CONTINUATION", continuation(1, request_block()),
           "connection PROTOCOL_ERROR"},
          {"5.1", "idle: PRIORITY", priority(1, 0), "nothing"},
      });
}

TEST(Conformance, Section51HalfClosedStreams) {
  const std::string trailers = headers(1, trailers_block(), end_both);
  expect_conformance(
      Role::server,
      Rows{
          {"5.1", "half-closed: DATA", whole_request(1) + data(1, "x"), "stream 1 STREAM_CLOSED"},
          {"5.1", "half-closed: empty DATA", whole_request(1) + data(1, "", flag::end_stream),
           "stream 1 STREAM_CLOSED"},
          {"5.1", "half-closed: HEADERS", whole_request(1) + trailers, "stream 1 STREAM_CLOSED"},
          {"5.1", "half-closed: CONTINUATION", whole_request(1) + continuation(1, ""),
           "connection PROTOCOL_ERROR"},
          {"5.1", "half-closed: WINDOW_UPDATE", whole_request(1) + window_update(1, 9), "nothing"},
          {"5.1", "half-closed: PRIORITY", whole_request(1) + priority(1, 0), "nothing"},
          {"5.1", "half-closed: RST_STREAM", whole_request(1) + rst_stream(1, ErrorCode::cancel),
           "nothing"},
      });
}

TEST(Conformance, Section51StreamsThatWereReset) {
  const std::string trailers = headers(1, trailers_block(), end_both);
  const std::string reset = request(1) + rst_stream(1, ErrorCode::cancel);
  expect_conformance(
      Role::server,
      Rows{
          {"5.1", "reset by the peer: DATA", reset + data(1, "x"), "connection STREAM_CLOSED"},
          {"5.1", "reset by the peer: HEADERS", reset + trailers, "connection STREAM_CLOSED"},
          {"5.1", "reset by the peer: CONTINUATION", reset + continuation(1, ""),
           "connection PROTOCOL_ERROR"},
          {"5.1", "reset by the peer: the rest",
           reset + priority(1, 0) + window_update(1, 1) + rst_stream(1, ErrorCode::no_error),
           "nothing"},
          {"5.1", "reset by us: all that was on its way",
           data(1, "late") + data(1, "") + window_update(1, 0) + priority(1, 0) + trailers +
               rst_stream(1, ErrorCode::cancel),
           "nothing", &reset_1},
      });
}

TEST(Conformance, Section51CompleteStreams) {
  const std::string trailers = headers(1, trailers_block(), end_both);
  expect_conformance(
      Role::server,
      Rows{
          {"5.1", "complete: DATA", data(1, "x"), "connection STREAM_CLOSED", &answer_1},
          {"5.1", "complete: HEADERS", trailers, "connection STREAM_CLOSED", &answer_1},
          {"5.1", "complete: CONTINUATION", continuation(1, ""), "connection PROTOCOL_ERROR",
           &answer_1},
          {"5.1", "complete: the rest",
           priority(1, 0) + window_update(1, 1) + rst_stream(1, ErrorCode::no_error), "nothing",
           &answer_1},
          {"5.1", "complete and released: DATA", data(1, "x"), "connection STREAM_CLOSED",
           &answer_and_release_1},
          {"5.1", "complete and released: HEADERS", trailers, "connection STREAM_CLOSED",
           &answer_and_release_1},
          {"5.1", "complete and released: the rest",
           priority(1, 0) + priority(1, 1) + window_update(1, 0) +
               rst_stream(1, ErrorCode::no_error),
           "nothing", &answer_and_release_1},
      });
}

TEST(Conformance, Section511To54StreamIds) {
  expect_conformance(
      Role::server,
      Rows{
          {"5.1.1", "even id", request(2), "connection PROTOCOL_ERROR"},
          {"5.1.1", "smaller id", request(5) + request(3), "connection PROTOCOL_ERROR"},
          {"5.1.1", "the same id", whole_request(1) + whole_request(1), "stream 1 STREAM_CLOSED"},
          {"5.1.1", "a skipped id: DATA", request(5) + data(3, "x"), "connection PROTOCOL_ERROR"},
          {"5.3.1", "HEADERS that depend on themselves",
           raw(FrameType::headers, flag::priority | flag::end_headers, 1,
               priority_field(1) + request_block()),
           "stream 1 PROTOCOL_ERROR"},
          {"5.3.1", "PRIORITY that depends on itself", request(1) + priority(1, 1),
           "stream 1 PROTOCOL_ERROR"},
          {"5.4.1", "GOAWAY and the end", ping("1234567") + ping("12345678"),
           "connection FRAME_SIZE_ERROR"},
      });
}

TEST(Conformance, Section51ConcurrentStreams) {
  SessionOptions options;
  options.limits->max_concurrent_streams = 2;
  test::ScriptedPeer peer(Role::server, options);
  test::ScriptedPeer::shake_hands(peer, Role::server);
  peer.says(request(1) + whole_request(3));
  EXPECT_EQ(test::reaction_of(peer), "nothing");
  peer.says(request(5));
  EXPECT_EQ(test::reaction_of(peer), "stream 5 REFUSED_STREAM");
}

TEST(Conformance, Section61To64) {
  expect_conformance(
      Role::server,
      Rows{
          {"6.1", "DATA", request(1) + data(1, "x") + data(1, "y", flag::end_stream), "nothing"},
          {"6.1", "padded DATA", request(1) + padded_data(1, "x", 255), "nothing"},
          {"6.1", "DATA that is all padding", request(1) + padded_data(1, "", 255), "nothing"},
          {"6.1", "DATA on stream 0", data(0, "x"), "connection PROTOCOL_ERROR"},
          {"6.1", "padding as long as the payload",
           request(1) + with_pad(FrameType::data, 0, 1, '\x04', "abcd"), "nothing"},
          {"6.1", "padding longer than the payload",
           request(1) + with_pad(FrameType::data, 0, 1, '\x05', "abcd"),
           "connection PROTOCOL_ERROR"},
          {"6.1", "no pad length", request(1) + raw(FrameType::data, flag::padded, 1, ""),
           "connection FRAME_SIZE_ERROR"},
          {"6.2", "padded HEADERS",
           with_pad(FrameType::headers, flag::end_headers, 1, '\x03', request_block() + "   "),
           "nothing"},
          {"6.2", "HEADERS with a priority",
           raw(FrameType::headers, flag::priority | flag::end_headers, 1,
               priority_field(7, true) + request_block()),
           "nothing"},
          {"6.2", "HEADERS on stream 0", headers(0, request_block()), "connection PROTOCOL_ERROR"},
          {"6.2", "padding longer than the payload",
           with_pad(FrameType::headers, flag::end_headers, 1, '\x7f', request_block()),
           "connection PROTOCOL_ERROR"},
          {"6.2", "padding over the priority",
           with_pad(FrameType::headers, flag::priority | flag::end_headers, 1, '\x01',
                    priority_field(0)),
           "connection PROTOCOL_ERROR"},
          {"6.2", "no room for the priority",
           raw(FrameType::headers, flag::priority | flag::end_headers, 1, "1234"),
           "connection FRAME_SIZE_ERROR"},
          {"6.2", "no pad length", raw(FrameType::headers, flag::padded | flag::end_headers, 1, ""),
           "connection FRAME_SIZE_ERROR"},
          {"6.3", "PRIORITY of each weight, exclusive or not",
           priority(1, 0, 0) + priority(1, 0, 255) +
               raw(FrameType::priority, 0, 3, priority_field(1, true)),
           "nothing"},
          {"6.3", "PRIORITY on stream 0", priority(0, 1), "connection PROTOCOL_ERROR"},
          {"6.3", "PRIORITY too short", request(1) + raw(FrameType::priority, 0, 1, "1234"),
           "connection FRAME_SIZE_ERROR"},
          {"6.3", "PRIORITY too long", request(1) + raw(FrameType::priority, 0, 1, "123456"),
           "connection FRAME_SIZE_ERROR"},
          {"6.4", "RST_STREAM", request(1) + rst_stream(1, ErrorCode::cancel), "nothing"},
          {"6.4", "RST_STREAM on stream 0", rst_stream(0, ErrorCode::cancel),
           "connection PROTOCOL_ERROR"},
          {"6.4", "RST_STREAM on an idle stream", request(1) + rst_stream(3, ErrorCode::cancel),
           "connection PROTOCOL_ERROR"},
          {"6.4", "RST_STREAM too short", request(1) + raw(FrameType::rst_stream, 0, 1, "123"),
           "connection FRAME_SIZE_ERROR"},
          {"6.4", "RST_STREAM too long", request(1) + raw(FrameType::rst_stream, 0, 1, "12345"),
           "connection FRAME_SIZE_ERROR"},
      });
}

TEST(Conformance, Section65Settings) {
  const auto set = [](SettingId id, std::uint32_t value) { return settings({{id, value}}); };
  expect_conformance(
      Role::server,
      Rows{
          {"6.5", "SETTINGS", settings(), "SETTINGS ACK"},
          {"6.5", "ACK with a payload", raw(FrameType::settings, flag::ack, 0, "123456"),
           "connection FRAME_SIZE_ERROR"},
          {"6.5", "on a stream", raw(FrameType::settings, 0, 1, ""), "connection PROTOCOL_ERROR"},
          {"6.5", "of odd length", raw(FrameType::settings, 0, 0, "123"),
           "connection FRAME_SIZE_ERROR"},
          {"6.5.2", "ENABLE_PUSH 0", set(SettingId::enable_push, 0), "SETTINGS ACK"},
          {"6.5.2", "ENABLE_PUSH 1", set(SettingId::enable_push, 1), "SETTINGS ACK"},
          {"6.5.2", "ENABLE_PUSH 2", set(SettingId::enable_push, 2), "connection PROTOCOL_ERROR"},
          {"6.5.2", "INITIAL_WINDOW_SIZE 2^31-1", set(SettingId::initial_window_size, 0x7fff'ffff),
           "SETTINGS ACK"},
          {"6.5.2", "INITIAL_WINDOW_SIZE 2^31", set(SettingId::initial_window_size, 0x8000'0000),
           "connection FLOW_CONTROL_ERROR"},
          {"6.5.2", "MAX_FRAME_SIZE 2^14-1", set(SettingId::max_frame_size, 16'383),
           "connection PROTOCOL_ERROR"},
          {"6.5.2", "MAX_FRAME_SIZE 2^14", set(SettingId::max_frame_size, 16'384), "SETTINGS ACK"},
          {"6.5.2", "MAX_FRAME_SIZE 2^24-1", set(SettingId::max_frame_size, 16'777'215),
           "SETTINGS ACK"},
          {"6.5.2", "MAX_FRAME_SIZE 2^24", set(SettingId::max_frame_size, 16'777'216),
           "connection PROTOCOL_ERROR"},
          {"6.5.2", "the others, at their ends",
           settings({{SettingId::header_table_size, 0},
                     {SettingId::header_table_size, 0xffff'ffff},
                     {SettingId::max_concurrent_streams, 0},
                     {SettingId::max_header_list_size, 0}}),
           "SETTINGS ACK"},
          {"6.5.2", "an unknown one", set(static_cast<SettingId>(0xff), 1), "SETTINGS ACK"},
          {"RFC 8441", "ENABLE_CONNECT_PROTOCOL 2", set(SettingId::enable_connect_protocol, 2),
           "connection PROTOCOL_ERROR"},
          {"RFC 9218", "NO_RFC7540_PRIORITIES 2", set(SettingId::no_rfc7540_priorities, 2),
           "connection PROTOCOL_ERROR"},
          {"6.5.3", "one value twice",
           settings({{SettingId::initial_window_size, 0x8000'0000 - 1},
                     {SettingId::initial_window_size, 1}}),
           "SETTINGS ACK"},
          {"6.5.3", "two frames, two ACKs", settings() + settings(), "SETTINGS ACK, SETTINGS ACK"},
          {"6.5.3", "an ACK of nothing", settings_ack(), "connection PROTOCOL_ERROR"},
      });
}

TEST(Conformance, Section66To68) {
  expect_conformance(
      Role::server,
      Rows{
          {"6.6", "PUSH_PROMISE",
           request(1) + raw(FrameType::push_promise, 4, 1, be32(2) + request_block()),
           "connection PROTOCOL_ERROR"},
          {"6.7", "PING", ping("abcdefgh"), "PING abcdefgh ACK"},
          {"6.7", "PING with ACK", ping("abcdefgh", flag::ack), "nothing"},
          {"6.7", "PING on a stream", raw(FrameType::ping, 0, 1, "abcdefgh"),
           "connection PROTOCOL_ERROR"},
          {"6.7", "PING of wrong length", raw(FrameType::ping, 0, 0, "abcdef"),
           "connection FRAME_SIZE_ERROR"},
          {"6.8", "GOAWAY", goaway(0, ErrorCode::no_error, "debug data"), "nothing"},
          {"6.8", "GOAWAY on a stream", raw(FrameType::goaway, 0, 1, "12345678"),
           "connection PROTOCOL_ERROR"},
          {"6.8", "GOAWAY too short", raw(FrameType::goaway, 0, 0, "1234567"),
           "connection FRAME_SIZE_ERROR"},
          {"6.8", "GOAWAY that falls", goaway(9, ErrorCode::no_error) + goaway(8, {}), "nothing"},
          {"6.8", "GOAWAY that rises", goaway(8, ErrorCode::no_error) + goaway(9, {}),
           "connection PROTOCOL_ERROR"},
      });
}

TEST(Conformance, Section69WindowUpdate) {
  expect_conformance(
      Role::server,
      Rows{
          {"6.9", "WINDOW_UPDATE", window_update(0, 1) + request(1) + window_update(1, 1),
           "nothing"},
          {"6.9", "by 0", window_update(0, 0), "connection PROTOCOL_ERROR"},
          {"6.9", "by 0 on a stream", request(1) + window_update(1, 0), "stream 1 PROTOCOL_ERROR"},
          {"6.9", "by the reserved bit alone", window_update(0, 0x8000'0000),
           "connection PROTOCOL_ERROR"},
          {"6.9", "of wrong length", raw(FrameType::window_update, 0, 0, "123"),
           "connection FRAME_SIZE_ERROR"},
          {"6.9.1", "up to 2^31-1", window_update(0, 0x7fff'ffff - 65'535), "nothing"},
          {"6.9.1", "above 2^31-1", window_update(0, 0x7fff'ffff - 65'534),
           "connection FLOW_CONTROL_ERROR"},
          {"6.9.1", "above 2^31-1, in two steps",
           window_update(0, 0x7fff'ffff) + window_update(0, 0x7fff'ffff),
           "connection FLOW_CONTROL_ERROR"},
          {"6.9.1", "up to 2^31-1 on a stream", request(1) + window_update(1, 0x7fff'ffff - 65'535),
           "nothing"},
          {"6.9.1", "above 2^31-1 on a stream", request(1) + window_update(1, 0x7fff'ffff - 65'534),
           "stream 1 FLOW_CONTROL_ERROR"},
          {"6.9.2", "an initial window that overflows a stream's",
           request(1) + window_update(1, 0x7fff'ffff - 65'535) +
               settings({{SettingId::initial_window_size, 65'536}}),
           "connection FLOW_CONTROL_ERROR"},
      });
}

TEST(Conformance, Section610And7) {
  const std::string two_pieces =
      headers(1, request_block().substr(0, 9), 0) + continuation(1, request_block().substr(9));
  expect_conformance(
      Role::server,
      Rows{
          {"6.10", "CONTINUATIONs", two_pieces, "nothing"},
          {"6.10", "DATA inside a block", headers(1, request_block(), 0) + data(1, "x"),
           "connection PROTOCOL_ERROR"},
          {"6.10", "on stream 0", headers(1, request_block(), 0) + continuation(0, ""),
           "connection PROTOCOL_ERROR"},
          {"6.10", "behind END_HEADERS", request(1) + continuation(1, ""),
           "connection PROTOCOL_ERROR"},
          {"6.10", "behind END_HEADERS of a CONTINUATION", two_pieces + continuation(1, ""),
           "connection PROTOCOL_ERROR"},
          {"6.10", "behind DATA", request(1) + data(1, "x") + continuation(1, ""),
           "connection PROTOCOL_ERROR"},
          {"7", "GOAWAY with an unknown code", goaway(0, static_cast<ErrorCode>(0xff)), "nothing"},
          {"7", "RST_STREAM with an unknown code",
           request(1) + rst_stream(1, static_cast<ErrorCode>(0xff)), "nothing"},
      });
}

TEST(Conformance, Section68NoLaterGoawayNamesAHigherStream) {
  test::ScriptedPeer peer(Role::server);
  test::ScriptedPeer::shake_hands(peer, Role::server);
  shut_down_at_1(peer);
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("GOAWAY 1 NO_ERROR"));
  peer.says(request(3) + ping("short"));
  EXPECT_THAT(peer.hears_words(), testing::ElementsAre("GOAWAY 1 FRAME_SIZE_ERROR"));
}

TEST(Conformance, Section69KeepsToTheWindowsThatThePeerSets) {
  test::Answering one_byte({{SettingId::initial_window_size, 1}});
  one_byte.send("ab");
  EXPECT_EQ(test::reaction_of(one_byte), "DATA 1 a");

  test::Answering changed({{SettingId::initial_window_size, 0}});
  changed.send("abc");
  EXPECT_EQ(test::reaction_of(changed), "nothing");
  changed.says(settings({{SettingId::initial_window_size, 1}}));
  EXPECT_EQ(test::reaction_of(changed), "SETTINGS ACK, DATA 1 a");

  test::Answering negative({{SettingId::initial_window_size, 3}});
  negative.send("abcdef");
  EXPECT_EQ(test::reaction_of(negative), "DATA 1 abc");
  negative.says(settings({{SettingId::initial_window_size, 2}}));
  EXPECT_EQ(test::reaction_of(negative), "SETTINGS ACK");
  negative.says(window_update(1, 1));
  EXPECT_EQ(test::reaction_of(negative), "nothing") << "the window is 0";
  negative.says(window_update(1, 1));
  EXPECT_EQ(test::reaction_of(negative), "DATA 1 d");
}

TEST(Conformance, Section69CountsAllOfAFrameAgainstTheWindow) {
  SessionOptions options;
  options.initial_window_size = 10;
  for (const auto& [frame, fits] :
       std::vector<std::pair<std::string, bool>>{{data(1, std::string(10, 'x')), true},
                                                 {data(1, std::string(11, 'x')), false},
                                                 {padded_data(1, "", 9), true},
                                                 {padded_data(1, "", 10), false},
                                                 {padded_data(1, "", 255), false},
                                                 {padded_data(1, "x", 8), true},
                                                 {padded_data(1, "x", 9), false}}) {
    test::ScriptedPeer peer(Role::server, options);
    test::ScriptedPeer::shake_hands(peer, Role::server);
    peer.on_event = [](const Event&) {};
    peer.says(request(1) + frame);
    EXPECT_EQ(test::reaction_of(peer), fits ? "nothing" : "stream 1 FLOW_CONTROL_ERROR")
        << frame.size();
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
