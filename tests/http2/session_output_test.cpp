// SPDX-License-Identifier: Apache-2.0
// Session, output: commands become frames, in order, within windows and frame sizes.
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace std::chrono_literals;
using test::Answering;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::IsEmpty;
namespace frames = test::frames;

// ---- DATA ---------------------------------------------------------------------------------------

TEST(SessionOutput, BeginsANewFrameBehindAnOutputPosition) {
  Answering peer;
  peer.send("one");
  const std::uint64_t position = peer.session().output_position();
  peer.send("two");
  EXPECT_EQ(position - peer.session().sent_position(), frame_header_size + 3);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 one", "DATA 1 two"));
}

TEST(SessionOutput, SendsTrailersBehindQueuedData) {
  Answering peer({{SettingId::initial_window_size, 2}});
  peer.send("abcd");
  const std::array<HeaderField, 1> variable = {HeaderField{"grpc-message", "fine"}};
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), variable, /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 ab"));
  peer.says(frames::window_update(1, 9));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 cd", "HEADERS 1 END_STREAM"));
}

TEST(SessionOutput, AReleasedServerStreamStillSendsWhatItQueued) {
  Answering peer({{SettingId::initial_window_size, 2}});
  peer.send("abcd");
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
  peer.session().release(peer.stream(1));
  EXPECT_EQ(peer.session().stream_count(), 1U);
  int visited = 0;
  peer.session().for_each_stream([&](Stream&) { ++visited; });
  EXPECT_EQ(visited, 0);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 ab"));
  peer.says(frames::window_update(1, 9));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 cd", "HEADERS 1 END_STREAM"));
  EXPECT_EQ(peer.session().stream_count(), 0U);
  EXPECT_THAT(peer.events(), IsEmpty());
}

TEST(SessionOutput, AReleasedServerStreamThatThePeerStillSendsOnIsResetAtItsEnd) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 2}});
  peer.says(frames::headers(1, frames::request_block()));
  peer.session().send_headers(peer.stream(1), test::response_head(), {}, /*end_stream=*/false);
  test::send_text(peer.session(), peer.stream(1), "abcd", /*end_stream=*/true);
  peer.session().release(peer.stream(1));
  peer.events();
  peer.says(frames::data(1, "more") + frames::window_update(1, 9));
  EXPECT_THAT(peer.events(), IsEmpty());
  EXPECT_THAT(peer.hears_words(),
              ElementsAre("HEADERS 1", "DATA 1 abcd END_STREAM", "RST_STREAM 1 NO_ERROR"));
  EXPECT_EQ(peer.session().stats().buffered_input, 0U);
}

TEST(SessionOutput, AReleasedStreamWithQueuedOutputGoesWhenThePeerResetsIt) {
  Answering peer({{SettingId::initial_window_size, 0}});
  peer.send("abcd", /*end_stream=*/true);
  peer.session().release(peer.stream(1));
  peer.says(frames::rst_stream(1, ErrorCode::cancel));
  EXPECT_THAT(peer.events(), IsEmpty());
  EXPECT_EQ(peer.session().stream_count(), 0U);
}

TEST(SessionOutput, WhatAReleasedStreamQueuedIsDroppedAtItsDeadlineAndItIsReset) {
  Answering peer({{SettingId::initial_window_size, 2}});
  peer.send("abcd");
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
  peer.session().release(peer.stream(1), peer.now() + 5s);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 ab"));
  EXPECT_EQ(peer.session().next_deadline(), peer.now() + 5s);

  peer.pass(4999ms);
  EXPECT_EQ(peer.session().stream_count(), 1U);
  peer.pass(1ms);

  EXPECT_THAT(peer.hears_words(), ElementsAre("RST_STREAM 1 CANCEL"));
  EXPECT_EQ(peer.session().stream_count(), 0U);
  EXPECT_EQ(peer.session().stats().buffered_output, 0U);
  EXPECT_EQ(peer.session().next_deadline(), no_deadline);
  EXPECT_THAT(peer.events(), IsEmpty());
}

TEST(SessionOutput, EachReleasedStreamHasADeadlineOfItsOwnOrNone) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 0}});
  const TimePoint begin = peer.now();
  const TimePoint deadlines[] = {begin + 3s, no_deadline, begin + 1s, begin + 2s};
  StreamId id = 1;
  for (const TimePoint deadline : deadlines) {
    peer.says(frames::headers(id, frames::request_block(), 0x5));
    peer.session().send_headers(peer.stream(id), test::response_head(), {}, /*end_stream=*/false);
    test::send_text(peer.session(), peer.stream(id), "reply", /*end_stream=*/true);
    peer.session().release(peer.stream(id), deadline);
    id += 2;
  }
  peer.hears();

  peer.pass(1s);
  EXPECT_THAT(peer.hears_words(), ElementsAre("RST_STREAM 5 CANCEL"));
  EXPECT_EQ(peer.session().next_deadline(), begin + 2s);
  peer.says(frames::window_update(7, 100));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 7 reply END_STREAM"));
  peer.pass(1s);
  EXPECT_THAT(peer.hears_words(), IsEmpty());
  EXPECT_EQ(peer.session().next_deadline(), begin + 3s);
  peer.pass(1s);
  EXPECT_THAT(peer.hears_words(), ElementsAre("RST_STREAM 1 CANCEL"));
  peer.pass(24h);

  EXPECT_EQ(peer.session().stream_count(), 1U);
  peer.says(frames::window_update(3, 100));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 3 reply END_STREAM"));
}

TEST(SessionOutput, AReleasedStreamWhoseDeadlineHasPassedGoesAtTheNextLook) {
  Answering peer({{SettingId::initial_window_size, 0}});
  peer.send("abcd", /*end_stream=*/true);
  peer.session().release(peer.stream(1), peer.now() - 1s);
  EXPECT_LE(peer.session().next_deadline(), peer.now());

  peer.pass(0s);

  EXPECT_EQ(peer.session().stream_count(), 0U);
}

TEST(SessionOutput, ReleasingAnOpenStreamResetsIt) {
  ScriptedPeer client(Role::client);
  ScriptedPeer::shake_hands(client, Role::client);
  client.session().release(client.session().open_stream(test::request_head(), {}, true, nullptr));
  EXPECT_THAT(client.hears_words(), ElementsAre("HEADERS 1 END_STREAM", "RST_STREAM 1 CANCEL"));

  Answering unfinished;
  unfinished.session().release(unfinished.stream(1));
  EXPECT_THAT(unfinished.hears_words(), ElementsAre("RST_STREAM 1 INTERNAL_ERROR"));

  ScriptedPeer early(Role::server);
  ScriptedPeer::shake_hands(early, Role::server);
  early.says(frames::headers(1, frames::request_block()));
  early.session().send_headers(early.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
  early.session().release(early.stream(1));
  EXPECT_THAT(early.hears_words(), ElementsAre("HEADERS 1 END_STREAM", "RST_STREAM 1 NO_ERROR"));
}

TEST(SessionOutput, CommandsOnAClosedStreamOrABrokenSessionDoNothing) {
  Answering peer;
  peer.says(frames::rst_stream(1, ErrorCode::cancel));
  const auto command_all = [&] {
    peer.send("x");
    peer.send("x", /*end_stream=*/true);
    EXPECT_TRUE(peer.session().reserve_data(peer.stream(1), 1).empty());
    peer.session().end_stream(peer.stream(1));
    peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
    peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
    peer.session().needs(peer.stream(1), 5);
    peer.session().dropped(peer.stream(1));
    peer.session().consumed(peer.stream(1), 5);
    EXPECT_FALSE(peer.session().is_writable(peer.stream(1), 1));
  };
  command_all();
  EXPECT_FALSE(peer.session().has_output());
  peer.says(frames::ping("1234567"));
  peer.hears();
  command_all();
  peer.session().send_ping(1);
  peer.session().announce_shutdown();
  peer.session().send_goaway(ErrorCode::no_error, "");
  peer.session().send_frame(0xee, 0, 0, {});
  peer.session().release(peer.stream(1));
  EXPECT_FALSE(peer.session().has_output());
}

TEST(SessionOutput, CutsHeaderBlocksAtThePeersFrameSize) {
  Answering peer;
  const std::string large(40'000, 'x');
  const std::array<HeaderField, 1> variable = {HeaderField{"x-large", large}};
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), variable, /*end_stream=*/true);
  const auto frames = peer.hears();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].header.type, FrameType::headers);
  EXPECT_EQ(frames[0].header.flags, frame_flag::end_stream);
  EXPECT_EQ(frames[0].payload.size(), 16'384U);
  EXPECT_EQ(frames[1].header.flags, 0U);
  EXPECT_EQ(frames[2].header.type, FrameType::continuation);
  EXPECT_EQ(frames[2].header.flags, frame_flag::end_headers);
}

TEST(SessionOutput, ARepeatedTemplateCostsAFewBytes) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);
  std::vector<std::size_t> sizes;
  for (int i = 0; i < 4; ++i) {
    peer.session().release(peer.session().open_stream(test::request_head(), {}, true, nullptr));
    sizes.push_back(peer.hears().front().payload.size());
  }
  EXPECT_GT(sizes[0], 50U);
  EXPECT_EQ(sizes[1], 7U);
  EXPECT_EQ(sizes[3], 7U);
}

// ---- frames of the connection -------------------------------------------------------------------

TEST(SessionOutput, WritesPingGoawayAndFramesOfExtensions) {
  Answering peer;
  peer.session().send_ping(0x0102030405060708);
  peer.session().send_frame(0xee, 0x3, 7, as_bytes("payload"));
  peer.session().send_goaway(ErrorCode::internal_error, "why");
  EXPECT_EQ(peer.hears_bytes(), frames::ping("\1\2\3\4\5\6\7\x8") +
                                    frames::raw(static_cast<FrameType>(0xee), 0x3, 7, "payload") +
                                    frames::goaway(1, ErrorCode::internal_error, "why"));
}

TEST(SessionOutput, CutsTheDebugTextOfAGoaway) {
  for (const std::size_t size : {255U, 256U, 257U, 5000U}) {
    Answering peer;
    peer.session().send_goaway(ErrorCode::no_error, std::string(size, 'x'));
    EXPECT_EQ(peer.hears().at(0).payload.size(), 8 + std::min<std::size_t>(size, 256));
  }
}

TEST(SessionOutput, PutsCreditAndAcksBeforeData) {
  SessionOptions options;
  options.initial_window_size = 100;
  ScriptedPeer peer(Role::server, options);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 0}});
  peer.says(frames::headers(1, frames::request_block()));
  peer.session().send_headers(peer.stream(1), test::response_head(), {}, /*end_stream=*/false);
  test::send_text(peer.session(), peer.stream(1), "abc", /*end_stream=*/false);
  peer.hears();
  peer.says(frames::data(1, std::string(60, 'x')) + frames::window_update(1, 5) +
            frames::ping("12345678"));
  EXPECT_THAT(peer.hears_words(),
              ElementsAre("PING 12345678 ACK", "WINDOW_UPDATE 1 60", "DATA 1 abc"));
}

TEST(SessionOutput, ShowsNothingThatWasSentAgain) {
  Answering peer;
  peer.send("0123456789");
  std::string sent;
  while (peer.session().has_output()) {
    std::array<iovec, 1> piece;
    ASSERT_EQ(peer.session().output(piece), 1U);
    sent.push_back(*static_cast<const char*>(piece[0].iov_base));
    peer.session().output_sent(1, peer.now());
  }
  EXPECT_EQ(sent, frames::data(1, "0123456789"));
  EXPECT_EQ(peer.session().output_position(), peer.session().sent_position());
}

TEST(SessionOutput, NeverPutsSensitiveFieldsIntoTheTable) {
  Answering peer;
  const std::array<HeaderField, 1> secret = {
      HeaderField{"authorization", "s3cret", Indexing::never}};
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), secret, /*end_stream=*/true);
  const std::string payload = peer.hears().at(0).payload;
  EXPECT_THAT(payload, testing::EndsWith("\x1f\x08\x06s3cret")) << "never indexed, RFC 7541 6.2.3";
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
