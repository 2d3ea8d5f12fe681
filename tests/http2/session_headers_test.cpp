// SPDX-License-Identifier: Apache-2.0
// Session, headers: blocks, what they open, and when they are refused.
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <string_view>
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

/// What a session tells, answers and counts of what a peer says.
std::vector<std::string> account(Role role,
                                 std::string_view bytes,
                                 test::Cut cut,
                                 const std::function<void(ScriptedPeer&)>& prepare) {
  ScriptedPeer peer(role, {}, cut);
  ScriptedPeer::shake_hands(peer, role);
  prepare(peer);
  peer.hears();
  peer.says(bytes);
  std::vector<std::string> told = peer.events();
  for (std::string& word : peer.hears_words()) {
    told.push_back(std::move(word));
  }
  const SessionStats stats = peer.session().stats();
  for (const std::uint64_t count :
       {stats.streams_opened, stats.resets_received, stats.resets_sent, stats.requests_refused,
        std::uint64_t{stats.resets_outstanding}, std::uint64_t{stats.refusals_left},
        std::uint64_t{stats.empty_data}, std::uint64_t{stats.overhead_frames},
        std::uint64_t{stats.buffered_input}, std::uint64_t{stats.buffered_headers}}) {
    told.push_back(std::to_string(count));
  }
  return told;
}

/// Blocks of one connection, whose fields the peer remembers.
class Blocks {
 public:
  std::string operator()(std::initializer_list<HeaderField> fields) {
    std::vector<std::byte> bytes;
    encoder_.encode(std::span(fields.begin(), fields.size()), bytes);
    return std::string(as_text(bytes));
  }

 private:
  HpackEncoder encoder_;
};

TEST(SessionHeaders, RequestsThatRepeatAreJudgedEachTimeHoweverTheyAreCut) {
  constexpr std::ptrdiff_t rounds = 6;
  Blocks blocks;
  std::string bytes;
  for (StreamId id = 1; id < 8 * rounds; id += 8) {
    bytes += headers(id, blocks({{":method", "POST"}, {":scheme", "http"}, {":path", "/a.B/C"}})) +
             data(id, "x", flag::end_stream);
    bytes +=
        headers(id + 2, blocks({{":method", "POST"}, {":scheme", "http"}})) + data(id + 2, "x");
    bytes += headers(id + 4, blocks({{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", "/a.B/C"},
                                     {"content-length", "2"}})) +
             data(id + 4, "x", flag::end_stream);
    bytes += headers(id + 6,
                     blocks({{":method", "POST"},
                             {":scheme", "http"},
                             {":path", "/a.B/C"},
                             {"connection", "close"}}),
                     flag::end_headers | flag::end_stream);
  }
  const auto nothing = [](ScriptedPeer&) {};

  const std::vector<std::string> at_once = account(server, bytes, test::whole, nothing);

  const auto count = [&](std::string_view word) {
    return std::ranges::count_if(
        at_once, [&](const std::string& each) { return each.find(word) != std::string::npos; });
  };
  EXPECT_EQ(count("data"), rounds) << "of what is well-formed";
  EXPECT_EQ(count("less DATA than content-length"), rounds);
  EXPECT_EQ(count("RST_STREAM"), 3 * rounds);
  EXPECT_EQ(account(server, bytes, test::byte_by_byte, nothing), at_once);
  EXPECT_EQ(account(server, bytes, {40, 13}, nothing), at_once);
}

TEST(SessionHeaders, AnswersThatRepeatAreJudgedEachTimeHoweverTheyAreCut) {
  constexpr std::ptrdiff_t rounds = 6;
  Blocks blocks;
  std::string bytes;
  for (StreamId id = 1; id < 6 * rounds; id += 6) {
    const std::string head = blocks({{":status", "200"}, {"content-type", "application/grpc"}});
    bytes += headers(id, head) + data(id, "x") +
             headers(id, blocks({{"grpc-status", "0"}}), flag::end_headers | flag::end_stream);
    bytes += headers(id + 2, blocks({{":status", "200"}, {"content-type", "application/grpc"}})) +
             headers(id + 2, blocks({{":status", "200"}, {"content-type", "application/grpc"}}),
                     flag::end_headers | flag::end_stream);   // no trailers
    bytes += headers(id + 4, blocks({{"grpc-status", "0"}}),  // no head
                     flag::end_headers | flag::end_stream);
  }
  const auto with_requests = [](ScriptedPeer& peer) {
    for (std::ptrdiff_t i = 0; i < 3 * rounds; ++i) {
      test::with_request(peer);
    }
  };

  const std::vector<std::string> at_once = account(client, bytes, test::whole, with_requests);

  const auto count = [&](std::string_view word) {
    return std::ranges::count_if(
        at_once, [&](const std::string& each) { return each.find(word) != std::string::npos; });
  };
  EXPECT_EQ(count("trailers grpc-status=0 end"), rounds);
  EXPECT_EQ(count("a pseudo-header field in trailers"), rounds);
  EXPECT_EQ(count("a response without :status"), rounds);
  EXPECT_EQ(account(client, bytes, test::byte_by_byte, with_requests), at_once);
  EXPECT_EQ(account(client, bytes, {40, 13}, with_requests), at_once);
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
