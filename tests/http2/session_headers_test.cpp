// SPDX-License-Identifier: Apache-2.0
// Session, headers: blocks, what they open, and when they are refused.
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::broken;
using test::request;
using test::request_words;
using test::Scenario;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

using test::client;
using test::server;

TEST(SessionHeaders, TellsRequestTrailers) {
  Scenario{server,
           request(1) + data(1, "x") +
               headers(1, block({{"a", "b"}}), flag::end_headers | flag::end_stream),
           ElementsAre(request_words, "data 1 x", "headers 1 trailers a=b end")}
      .play_all();
}

TEST(SessionHeaders, TellsAResponseWithInformationalHeadersBeforeIt) {
  Scenario{client,
           headers(1, block({{":status", "103"}})) + headers(1, response_block()) + data(1, "x") +
               headers(1, trailers_block(), flag::end_headers | flag::end_stream),
           ElementsAre("headers 1 1xx :status=103",
                       "headers 1 :status=200 content-type=application/grpc", "data 1 x",
                       "headers 1 trailers grpc-status=0 end"),
           IsEmpty(), test::with_request}
      .play_all();
}

TEST(SessionHeaders, PutsContinuationsTogether) {
  const std::string block = request_block();
  Scenario{server,
           headers(1, block.substr(0, 7), flag::end_stream) +
               continuation(1, block.substr(7, 1), 0) + continuation(1, "", 0) +
               continuation(1, block.substr(8)),
           ElementsAre(request_words + " end")}
      .play_all();
}

TEST(SessionHeaders, RefusesFramesInsideAHeaderBlock) {
  broken(server, headers(1, request_block(), 0) + ping("12345678"), "PROTOCOL_ERROR", "inside")
      .play_all();
  broken(server, headers(1, request_block(), 0) + continuation(3, ""), "PROTOCOL_ERROR", "another")
      .play_all();
  broken(server, continuation(1, ""), "PROTOCOL_ERROR", "without").play_all();
}

TEST(SessionHeaders, RefusesABrokenHeaderBlock) {
  broken(server, headers(1, "\x80"), "COMPRESSION_ERROR", "").play_all();
}

TEST(SessionHeaders, ResetsTrailersWithoutEndStream) {
  Scenario{server, request(1) + headers(1, trailers_block()),
           ElementsAre(request_words, StartsWith("reset 1 PROTOCOL_ERROR local (trailers")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
}

TEST(SessionHeaders, RefusesMalformedRequestsAndKeepsTheTablesInStep) {
  HpackEncoder encoder;
  std::vector<std::byte> bad;
  std::vector<std::byte> good;
  const std::vector<HeaderField> remembered = {{"x-remembered", "value"}};
  encoder.encode(remembered, bad);
  encoder.encode(remembered, good);
  Scenario{server,
           headers(1, as_text(bad)) + data(1, "ignored") +
               headers(3, request_block() + std::string(as_text(good))),
           ElementsAre(testing::EndsWith("x-remembered=value")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
}

TEST(SessionHeaders, RefusesAHeaderListBeyondTheLimitForThatStreamOnly) {
  Scenario scenario{
      server, headers(1, request_block() + block({{"x", std::string(300, 'x')}})) + request(3),
      ElementsAre(StartsWith("headers 3")), ElementsAre("RST_STREAM 1 ENHANCE_YOUR_CALM")};
  scenario.options.limits->max_header_list_size = 400;
  scenario.play_all();
}

TEST(SessionHeaders, ResetsAResponseWithAHeaderListBeyondTheLimit) {
  Scenario scenario{client, headers(1, response_block() + block({{"x", std::string(300, 'x')}})),
                    ElementsAre(StartsWith("reset 1 ENHANCE_YOUR_CALM local")),
                    ElementsAre("RST_STREAM 1 ENHANCE_YOUR_CALM"), test::with_request};
  scenario.options.limits->max_header_list_size = 200;
  scenario.play_all();
}

TEST(SessionHeaders, IgnoresStreamsBeyondItsGoaway) {
  Scenario{server, request(3) + data(3, "x", flag::end_stream) + ping("12345678"), IsEmpty(),
           ElementsAre("PING 12345678 ACK"),
           [](test::ScriptedPeer& peer) {
             peer.says(request(1));
             peer.session().send_goaway(ErrorCode::no_error, "");
           }}
      .play_all();
}

TEST(SessionHeaders, AcceptsStreamsAfterTheFirstPhaseOfShutdown) {
  Scenario{server, request(3), ElementsAre(StartsWith("headers 3")), IsEmpty(),
           [](test::ScriptedPeer& peer) { peer.session().announce_shutdown(); }}
      .play_all();
}

TEST(SessionHeaders, RefusesAStreamBelowTheLastOne) {
  broken(server, request(5) + request(3), "PROTOCOL_ERROR", "never opened").play_all();
}

// ---- keeping in step ----------------------------------------------------------------------------

/// A block that puts x-kept: value into the table, and one that refers to it.
const std::string insertion = std::string("\x40\x06x-kept\x05value", 14);
const std::string reference = "\xbe";

TEST(SessionHeaders, DecodesTheBlocksOfStreamsThatItDoesNotTake) {
  struct Case {
    std::string what;
    std::function<void(ScriptedPeer&)> prepare;
    std::string bytes;
  };
  SessionOptions one_slot;
  one_slot.limits->max_concurrent_streams = 1;
  const std::string inserting = request_block() + insertion;
  const std::vector<Case> cases = {
      {"no slot", [](ScriptedPeer& peer) { peer.says(request(1)); }, headers(3, inserting)},
      {"malformed", [](ScriptedPeer&) {}, headers(3, insertion)},
      {"reset by us",
       [](ScriptedPeer& peer) {
         peer.says(request(1));
         peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
       },
       headers(1, insertion, flag::end_headers | flag::end_stream)},
      {"trailers", [](ScriptedPeer& peer) { peer.says(request(1)); },
       headers(1, insertion, flag::end_headers | flag::end_stream)},
  };
  for (const Case& one : cases) {
    ScriptedPeer peer(server, one_slot);
    ScriptedPeer::shake_hands(peer, server);
    one.prepare(peer);
    peer.says(one.bytes);
    ASSERT_FALSE(peer.session().is_broken()) << one.what;
    peer.session().for_each_stream([&](Stream& stream) { peer.session().release(stream); });
    peer.events();
    peer.says(headers(5, request_block() + reference));
    EXPECT_THAT(peer.last_event(), testing::EndsWith("x-kept=value")) << one.what;
  }
}

TEST(SessionHeaders, DecodesABlockThatIsTooLargeToKeep) {
  Scenario scenario{
      server,
      headers(1, request_block() + insertion + block({{"x", std::string(500, 'x')}})) +
          headers(3, request_block() + reference),
      ElementsAre(testing::EndsWith("x-kept=value")),
      ElementsAre("RST_STREAM 1 ENHANCE_YOUR_CALM")};
  scenario.options.limits->max_header_list_size = 400;
  scenario.play_all();
}

TEST(SessionHeaders, ALateBlockAfterEndStreamIsStreamClosedWhateverItHolds) {
  for (const std::string& late :
       {request_block(), trailers_block(), std::string(), block({{"x", std::string(500, 'x')}})}) {
    Scenario scenario{server, request(1, flag::end_headers | flag::end_stream) + headers(1, late),
                      ElementsAre(request_words + " end", StartsWith("reset 1 STREAM_CLOSED")),
                      ElementsAre("RST_STREAM 1 STREAM_CLOSED")};
    scenario.options.limits->max_header_list_size = 400;
    scenario.play(test::whole);
    scenario.play(test::byte_by_byte);
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
