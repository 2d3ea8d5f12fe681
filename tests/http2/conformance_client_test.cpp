// SPDX-License-Identifier: Apache-2.0
// Conformance of a client with RFC 9113, sections 3 to 7: what a server may not do to it.
#include "http2/common.hpp"
#include "http2/conformance.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::expect_conformance;
using test::ScriptedPeer;
using Rows = std::vector<test::Conformance>;

using test::end_both;

std::string response(std::uint8_t flags = flag::end_headers) {
  return headers(1, response_block(), flags);
}

/// Stream 1 is complete: its response came with its request.
void complete_1(ScriptedPeer& peer) {
  test::with_request(peer);
  peer.says(response(end_both));
}
void complete_and_release_1(ScriptedPeer& peer) {
  complete_1(peer);
  peer.session().release(peer.stream(1));
}
void cancel_1(ScriptedPeer& peer) {
  Stream& stream = peer.session().open_stream(test::request_head(), {}, true, nullptr);
  peer.session().reset_stream(stream, ErrorCode::cancel);
}

TEST(ConformanceOfClient, Section3ConnectionPreface) {
  const std::vector<std::pair<std::string, std::string_view>> openings = {
      {settings(), "SETTINGS, SETTINGS ACK"},
      {ping("12345678"), "connection PROTOCOL_ERROR"},
      {settings_ack(), "connection PROTOCOL_ERROR"},
      {goaway(0, ErrorCode::no_error), "connection PROTOCOL_ERROR"},
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "connection PROTOCOL_ERROR"}};
  for (const auto& [bytes, reaction] : openings) {
    for (const test::Cut cut : {test::whole, test::byte_by_byte}) {
      ScriptedPeer peer(Role::client, {}, cut);
      peer.says(bytes);
      EXPECT_EQ(test::reaction_of(peer), reaction);
    }
  }
}

TEST(ConformanceOfClient, Section5StreamStates) {
  const auto open = &test::with_open_request;
  const std::string late_trailers = headers(1, trailers_block(), end_both);
  expect_conformance(
      Role::client,
      Rows{
          {"5.1", "idle: DATA", data(1, "x"), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: HEADERS", response(), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: RST_STREAM", rst_stream(1, ErrorCode::cancel),
           "connection PROTOCOL_ERROR"},
          {"5.1", "idle: WINDOW_UPDATE", window_update(1, 1), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: CONTINUATION", continuation(1, ""), "connection PROTOCOL_ERROR"},
          {"5.1", "idle: PRIORITY", priority(1, 0), "nothing"},
          {"5.1.1", "a stream of the server's", headers(2, response_block()),
           "connection PROTOCOL_ERROR"},
          {"5.1.1", "DATA on a stream of the server's", data(2, "x"), "connection PROTOCOL_ERROR"},
          {"5.1", "ended: DATA", response(end_both) + data(1, "x"), "stream 1 STREAM_CLOSED", open},
          {"5.1", "ended: HEADERS", response(end_both) + late_trailers, "stream 1 STREAM_CLOSED",
           open},
          {"5.1", "ended: the rest",
           response(end_both) + window_update(1, 1) + priority(1, 0) +
               rst_stream(1, ErrorCode::no_error),
           "nothing", open},
          {"5.1", "reset by the peer: DATA", rst_stream(1, ErrorCode::cancel) + data(1, "x"),
           "connection STREAM_CLOSED", open},
          {"5.1", "reset by the peer: HEADERS", rst_stream(1, ErrorCode::cancel) + response(),
           "connection STREAM_CLOSED", open},
          {"5.1", "reset by us: all that was on its way",
           response() + data(1, "late") + data(1, "") + window_update(1, 1) + late_trailers +
               rst_stream(1, ErrorCode::no_error),
           "nothing", &cancel_1},
          {"5.1", "complete: DATA", data(1, "x"), "connection STREAM_CLOSED", &complete_1},
          {"5.1", "complete: HEADERS", late_trailers, "connection STREAM_CLOSED", &complete_1},
          {"5.1", "complete and released: DATA", data(1, "x"), "connection STREAM_CLOSED",
           &complete_and_release_1},
          {"5.1", "complete and released: HEADERS", late_trailers, "connection STREAM_CLOSED",
           &complete_and_release_1},
          {"5.1", "complete and released: the rest",
           window_update(1, 0) + priority(1, 1) + rst_stream(1, ErrorCode::no_error), "nothing",
           &complete_and_release_1},
      });
}

TEST(ConformanceOfClient, Section6Frames) {
  const auto open = &test::with_open_request;
  const auto set = [](SettingId id, std::uint32_t value) { return settings({{id, value}}); };
  expect_conformance(
      Role::client,
      Rows{
          {"6.1", "DATA on stream 0", data(0, "x"), "connection PROTOCOL_ERROR"},
          {"6.1", "padding longer than the payload",
           response() + raw(FrameType::data, flag::padded, 1,
                            "\x05"
                            "abcd"),
           "connection PROTOCOL_ERROR", open},
          {"6.2", "HEADERS on stream 0", headers(0, response_block()), "connection PROTOCOL_ERROR"},
          {"6.3", "PRIORITY of wrong length", raw(FrameType::priority, 0, 1, "1234"),
           "connection FRAME_SIZE_ERROR", open},
          {"6.4", "RST_STREAM on stream 0", rst_stream(0, ErrorCode::cancel),
           "connection PROTOCOL_ERROR"},
          {"6.4", "RST_STREAM of wrong length", raw(FrameType::rst_stream, 0, 1, "123"),
           "connection FRAME_SIZE_ERROR", open},
          {"6.5.2", "ENABLE_PUSH 0", set(SettingId::enable_push, 0), "SETTINGS ACK"},
          {"6.5.2", "ENABLE_PUSH 1", set(SettingId::enable_push, 1), "connection PROTOCOL_ERROR"},
          {"6.5.2", "INITIAL_WINDOW_SIZE 2^31", set(SettingId::initial_window_size, 0x8000'0000),
           "connection FLOW_CONTROL_ERROR"},
          {"6.5.2", "MAX_FRAME_SIZE 2^14-1", set(SettingId::max_frame_size, 16'383),
           "connection PROTOCOL_ERROR"},
          {"6.5.3", "an ACK of nothing", settings_ack(), "connection PROTOCOL_ERROR"},
          {"6.6", "PUSH_PROMISE",
           raw(FrameType::push_promise, flag::end_headers, 1, be32(2) + request_block()),
           "connection PROTOCOL_ERROR", open},
          {"6.6", "PUSH_PROMISE on stream 0",
           raw(FrameType::push_promise, flag::end_headers, 0, be32(2) + request_block()),
           "connection PROTOCOL_ERROR"},
          {"6.7", "PING", ping("abcdefgh"), "PING abcdefgh ACK"},
          {"6.7", "PING of wrong length", ping("abcdefg"), "connection FRAME_SIZE_ERROR"},
          {"6.8", "GOAWAY on a stream", raw(FrameType::goaway, 0, 1, "12345678"),
           "connection PROTOCOL_ERROR", open},
          {"6.8", "GOAWAY in two phases",
           goaway(max_stream_id, ErrorCode::no_error) + goaway(1, ErrorCode::no_error) + response(),
           "nothing", open},
          {"6.8", "GOAWAY that rises", goaway(1, ErrorCode::no_error) + goaway(3, {}),
           "connection PROTOCOL_ERROR", open},
          {"6.9", "by 0", window_update(0, 0), "connection PROTOCOL_ERROR"},
          {"6.9", "by 0 on a stream", window_update(1, 0), "stream 1 PROTOCOL_ERROR", open},
          {"6.9.1", "above 2^31-1", window_update(0, 0x7fff'ffff), "connection FLOW_CONTROL_ERROR"},
          {"6.9.1", "above 2^31-1 on a stream", window_update(1, 0x7fff'ffff),
           "stream 1 FLOW_CONTROL_ERROR", open},
          {"6.10", "a frame inside a block", headers(1, response_block(), 0) + ping("12345678"),
           "connection PROTOCOL_ERROR", open},
          {"6.10", "a block in pieces",
           headers(1, response_block().substr(0, 1), 0) +
               continuation(1, response_block().substr(1)),
           "nothing", open},
      });
}

TEST(ConformanceOfClient, Section68TellsWhichStreamsWereNeverBegun) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);
  for (int i = 0; i < 3; ++i) {
    test::with_request(peer);
  }
  peer.says(goaway(max_stream_id, ErrorCode::no_error));
  EXPECT_THAT(peer.events(), testing::ElementsAre("goaway 2147483647 NO_ERROR"));
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::closed);
  peer.says(goaway(3, ErrorCode::no_error));
  EXPECT_THAT(peer.events(),
              testing::ElementsAre("goaway 3 NO_ERROR", "reset 5 NO_ERROR unprocessed"));
  peer.says(goaway(1, ErrorCode::internal_error));
  EXPECT_THAT(peer.events(), testing::ElementsAre("goaway 1 INTERNAL_ERROR",
                                                  "reset 3 INTERNAL_ERROR unprocessed"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
