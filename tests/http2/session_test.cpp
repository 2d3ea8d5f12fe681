// SPDX-License-Identifier: Apache-2.0
// Session: a whole exchange, handshakes, and the life of streams.
#include "http2/session.hpp"

#include "http2/scenario.hpp"
#include "http2/session_pair.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::http2 {
namespace {

using namespace std::chrono_literals;
using test::ScriptedPeer;
using test::SessionPair;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace frames = test::frames;

TEST(Session, CarriesAUnaryExchange) {
  SessionPair pair;
  std::vector<std::string> seen;
  pair.on_server = [&](const Event& event) {
    seen.push_back("server: " + test::describe(event));
    if (event.end_stream) {
      pair.server.consumed(*event.stream, event.data.size());
      pair.server.send_headers(*event.stream, test::response_head(), {}, /*end_stream=*/false);
      test::send_text(pair.server, *event.stream, "world", /*end_stream=*/false);
      pair.server.send_headers(*event.stream, test::ok_trailers(), {}, /*end_stream=*/true);
      pair.server.release(*event.stream);
    }
  };
  pair.on_client = [&](const Event& event) {
    seen.push_back("client: " + test::describe(event));
    if (event.end_stream) pair.client.release(*event.stream);
  };

  Stream& stream = pair.client.open_stream(test::request_head(), {}, false, nullptr);
  test::send_text(pair.client, stream, "hello", /*end_stream=*/true);
  pair.run();

  EXPECT_THAT(
      seen, ElementsAre("server: settings",
                        "server: headers 1 :method=POST :scheme=http :path=/greet.Greeter/SayHello "
                        ":authority=localhost te=trailers content-type=application/grpc "
                        "user-agent=nearcall/0.1",
                        "server: data 1 hello end", "client: settings", "client: settings_ack",
                        "client: headers 1 :status=200 content-type=application/grpc",
                        "client: data 1 world", "client: headers 1 trailers grpc-status=0 end",
                        "server: settings_ack"));
  EXPECT_EQ(pair.client.stream_count(), 0U);
  EXPECT_EQ(pair.server.stream_count(), 0U);
}

// ---- handshake (3.4) ----------------------------------------------------------------------------

TEST(Session, ClientOpensWithPrefaceSettingsAndAConnectionWindow) {
  ScriptedPeer peer(Role::client);

  const std::string opening = peer.hears_bytes();

  EXPECT_TRUE(opening.starts_with(client_preface));
  const auto frames = ScriptedPeer::parse(opening);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].payload, frames::settings({{SettingId::enable_push, 0},
                                                 {SettingId::initial_window_size, 1U << 20U},
                                                 {SettingId::max_frame_size, 1U << 20U},
                                                 {SettingId::max_header_list_size, 16U << 10U}})
                                   .substr(frame_header_size));
  EXPECT_EQ(frames[1].header.type, FrameType::window_update);
  EXPECT_EQ(frames[1].header.stream, 0U);
}

TEST(Session, ServerSaysNothingBeforeThePreface) {
  ScriptedPeer peer(Role::server);
  EXPECT_FALSE(peer.session().has_output());

  peer.says(frames::preface());

  const auto frames = peer.hears();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].payload, frames::settings({{SettingId::max_concurrent_streams, 1000},
                                                 {SettingId::initial_window_size, 1U << 20U},
                                                 {SettingId::max_frame_size, 1U << 20U},
                                                 {SettingId::max_header_list_size, 16U << 10U}})
                                   .substr(frame_header_size));
}

TEST(Session, AnnouncesSettingsOfExtensions) {
  SessionOptions options;
  options.extra_settings = {{static_cast<SettingId>(0xf00d), 9}};
  ScriptedPeer peer(Role::client, options);

  const std::string expected = frames::settings({{static_cast<SettingId>(0xf00d), 9}});
  EXPECT_THAT(peer.hears().front().payload, testing::EndsWith(expected.substr(frame_header_size)));
}

TEST(Session, TellsWhatCameInsteadOfThePreface) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"GET / HTTP/1.1\r\n\r\n", "(HTTP/1.1 request)"},
      {"POST /a HTTP/1.1\r\n\r\n", "(HTTP/1.1 request)"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), "(TLS ClientHello)"},
      {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "(not HTTP/2)"},
      {"PRI * HTTP/1.1\r\n", "(not HTTP/2)"},
      {"SSH-2.0-OpenSSH", "(not HTTP/2)"},
      {std::string(30, '\0'), "(not HTTP/2)"}};
  for (const auto& [bytes, what] : wrong) {
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      ScriptedPeer peer(Role::server, {}, at == 0 ? test::byte_by_byte : test::Cut{at});
      peer.says(bytes);
      EXPECT_THAT(peer.events(), ElementsAre("connection_error PROTOCOL_ERROR " + what)) << at;
      EXPECT_FALSE(peer.session().has_output());
    }
  }
}

TEST(Session, ClientTellsWhatCameInsteadOfSettings) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"HTTP/1.1 400 Bad Request\r\n", "(HTTP/1.1 response)"},
      {std::string("\x15\x03\x01\x00\x02\x02\x46\x00\x00", 9), "(TLS record)"},
      {"SSH-2.0-OpenSSH", "(not HTTP/2)"},
      {frames::ping("12345678"), "(the first frame is not SETTINGS)"},
      {frames::settings_ack(), "(the first frame is not SETTINGS)"}};
  for (const auto& [bytes, what] : wrong) {
    for (const test::Cut cut : {test::whole, test::byte_by_byte}) {
      ScriptedPeer peer(Role::client, {}, cut);
      peer.says(bytes);
      EXPECT_THAT(peer.events(), ElementsAre("connection_error PROTOCOL_ERROR " + what));
    }
  }
}

TEST(Session, TakesAPrefaceCutAnywhere) {
  const std::string bytes = frames::preface() + frames::settings() + frames::settings_ack();
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    ScriptedPeer peer(Role::server, {}, {at});
    peer.says(bytes);
    EXPECT_THAT(peer.events(), ElementsAre("settings", "settings_ack"));
  }
}

TEST(Session, GivesUpOnASilentPeer) {
  for (const Role role : {Role::client, Role::server}) {
    ScriptedPeer peer(role);
    EXPECT_EQ(peer.session().next_deadline(), peer.now() + 5s);
    peer.pass(4999ms);
    EXPECT_THAT(peer.events(), IsEmpty());
    peer.pass(1ms);
    EXPECT_THAT(peer.events(),
                ElementsAre(testing::StartsWith("connection_error SETTINGS_TIMEOUT")));
    EXPECT_EQ(peer.session().next_deadline(), no_deadline);
  }
}

TEST(Session, HasNoDeadlineOnceItIsIdle) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  EXPECT_EQ(peer.session().next_deadline(), no_deadline);
}

TEST(Session, GivesUpOnAnOpenHeaderBlock) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  peer.says(frames::headers(1, frames::request_block(), 0));
  peer.pass(4999ms);
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.pass(1ms);
  EXPECT_THAT(peer.events(),
              ElementsAre(testing::StartsWith("connection_error ENHANCE_YOUR_CALM")));
}

TEST(Session, GivesUpWithoutAnAckWhileThereAreStreams) {
  ScriptedPeer peer(Role::server);
  peer.says(frames::preface() + frames::settings());
  peer.hears();
  peer.pass(60s);
  EXPECT_EQ(peer.last_event(), "settings");
  peer.says(frames::headers(1, frames::request_block()));
  peer.pass(29'999ms);
  EXPECT_THAT(peer.last_event(), testing::StartsWith("headers"));
  peer.pass(1ms);
  EXPECT_THAT(peer.last_event(), testing::StartsWith("connection_error SETTINGS_TIMEOUT"));
}

TEST(Session, GivesUpOnOutputThatNobodyReadsAndNobodyWaitsFor) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  peer.says(frames::ping("12345678"));
  peer.pass(29'999ms);
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.pass(1ms);
  EXPECT_THAT(peer.events(),
              ElementsAre(testing::StartsWith("connection_error ENHANCE_YOUR_CALM")));
}

TEST(Session, WaitsForAPeerThatDoesNotReadALiveCall) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  peer.says(frames::headers(1, frames::request_block()) + frames::ping("12345678"));
  peer.pass(10min);
  EXPECT_FALSE(peer.session().is_broken());
}

// ---- opening streams ----------------------------------------------------------------------------

TEST(Session, ClientAssumesAHundredStreamsBeforeSettings) {
  ScriptedPeer peer(Role::client);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(peer.session().open_state(), Session::OpenState::ready);
    test::with_request(peer);
  }
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::full);
  peer.says(frames::settings());
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::ready);
}

TEST(Session, ClientKeepsToThePeersStreamLimit) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client, {{SettingId::max_concurrent_streams, 1}});
  Stream& stream = peer.session().open_stream(test::request_head(), {}, true, nullptr);
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::full);
  peer.says(frames::headers(1, frames::response_block(), 0x5));
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::ready);
  peer.session().release(stream);
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::ready);
}

TEST(Session, ServerRefusesStreamsBeyondItsSlotsUntilOneIsReleased) {
  SessionOptions options;
  options.limits.max_concurrent_streams = 1;
  ScriptedPeer peer(Role::server, options);
  ScriptedPeer::shake_hands(peer, Role::server);
  peer.says(frames::headers(1, frames::request_block()) + frames::rst_stream(1, ErrorCode::cancel));
  peer.says(frames::headers(3, frames::request_block()) + frames::data(3, "ignored"));
  EXPECT_THAT(peer.hears_words(), ElementsAre("RST_STREAM 3 REFUSED_STREAM"));

  peer.session().release(peer.stream(1));
  peer.events();
  peer.says(frames::headers(5, frames::request_block()));

  EXPECT_THAT(peer.events(), ElementsAre(testing::StartsWith("headers 5")));
}

TEST(Session, AClientOpensNothingAfterAGoaway) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);
  peer.says(frames::goaway(0, ErrorCode::no_error));
  EXPECT_EQ(peer.session().open_state(), Session::OpenState::closed);
  EXPECT_TRUE(peer.session().is_drained());
}

// ---- sending ------------------------------------------------------------------------------------

/// A server's session that has the request of stream 1, and windows as the peer set them.
struct Answering : ScriptedPeer {
  explicit Answering(std::initializer_list<Setting> settings = {}, SessionOptions options = {})
      : ScriptedPeer(Role::server, options) {
    shake_hands(*this, Role::server, settings);
    says(frames::headers(1, frames::request_block(), 0x5));
    session().send_headers(stream(1), test::response_head(), {}, /*end_stream=*/false);
    hears();
    events();
  }
  void send(std::string_view text, bool end_stream = false) {
    test::send_text(session(), stream(1), text, end_stream);
  }
};

TEST(Session, ExtendsTheLastUnsentDataFrame) {
  Answering peer;
  peer.send("one");
  peer.send("two");
  peer.session().end_stream(peer.stream(1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 onetwo END_STREAM"));
}

TEST(Session, DoesNotTouchADataFrameThatHasBegunToBeSent) {
  Answering peer;
  peer.send("one");
  std::array<iovec, 1> pieces;
  ASSERT_EQ(peer.session().output(pieces), 1U);
  std::string sent(static_cast<const char*>(pieces[0].iov_base), 1);
  peer.session().output_sent(1, peer.now());
  peer.send("two", /*end_stream=*/true);
  sent += peer.hears_bytes();
  const auto frames = ScriptedPeer::parse(sent);
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(ScriptedPeer::in_words(frames[0]), "DATA 1 one");
  EXPECT_EQ(ScriptedPeer::in_words(frames[1]), "DATA 1 two END_STREAM");
}

TEST(Session, BeginsANewFrameBehindAnOutputPosition) {
  Answering peer;
  peer.send("one");
  const std::uint64_t position = peer.session().output_position();
  peer.send("two");
  EXPECT_EQ(position - peer.session().sent_position(), frame_header_size + 3);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 one", "DATA 1 two"));
}

TEST(Session, ReservedSpaceMayBeUsedInPartOrNotAtAll) {
  Answering peer;
  ASSERT_EQ(peer.session().reserve_data(peer.stream(1), 100).size(), 100U);
  const MutableByteSpan room = peer.session().reserve_data(peer.stream(1), 100);
  std::ranges::copy(as_bytes("abc"), room.begin());
  peer.session().commit_data(peer.stream(1), 3, /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abc END_STREAM"));
}

TEST(Session, KeepsWithinBothWindows) {
  Answering peer({{SettingId::initial_window_size, 4}});
  peer.send("abcdefgh", /*end_stream=*/true);
  EXPECT_TRUE(peer.session().reserve_data(peer.stream(1), 1).empty());
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 abcd"));
  EXPECT_FALSE(peer.session().has_output());
  peer.says(frames::window_update(1, 1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 e"));
  peer.says(frames::settings({{SettingId::initial_window_size, 6}}));
  EXPECT_THAT(peer.hears_words(), ElementsAre("SETTINGS ACK", "DATA 1 fg"));
  peer.says(frames::settings({{SettingId::initial_window_size, 0}}) + frames::window_update(1, 6));
  EXPECT_THAT(peer.hears_words(), ElementsAre("SETTINGS ACK")) << "the window is 0 again";
  peer.says(frames::window_update(1, 1));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 h END_STREAM"));
}

TEST(Session, SendsTrailersBehindQueuedData) {
  Answering peer({{SettingId::initial_window_size, 2}});
  peer.send("abcd");
  const std::array<HeaderField, 1> variable = {HeaderField{"grpc-message", "fine"}};
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), variable, /*end_stream=*/true);
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 ab"));
  peer.says(frames::window_update(1, 9));
  EXPECT_THAT(peer.hears_words(), ElementsAre("DATA 1 cd", "HEADERS 1 END_STREAM"));
}

TEST(Session, AReleasedServerStreamStillSendsWhatItQueued) {
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

TEST(Session, AReleasedServerStreamThatThePeerStillSendsOnIsResetAtItsEnd) {
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

TEST(Session, AReleasedStreamWithQueuedOutputGoesWhenThePeerResetsIt) {
  Answering peer({{SettingId::initial_window_size, 0}});
  peer.send("abcd", /*end_stream=*/true);
  peer.session().release(peer.stream(1));
  peer.says(frames::rst_stream(1, ErrorCode::cancel));
  EXPECT_THAT(peer.events(), IsEmpty());
  EXPECT_EQ(peer.session().stream_count(), 0U);
}

TEST(Session, ReleasingAnOpenStreamResetsIt) {
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

TEST(Session, CommandsOnAClosedStreamOrABrokenSessionDoNothing) {
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
    peer.session().consumed(peer.stream(1), 5);
    EXPECT_FALSE(peer.session().is_writable(peer.stream(1)));
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

TEST(Session, CutsHeaderBlocksAtThePeersFrameSize) {
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

TEST(Session, ARepeatedTemplateCostsAFewBytes) {
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

TEST(Session, ServesStreamsInTurns) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 1'000'000}});
  peer.says(frames::window_update(0, 10'000'000));
  for (const StreamId id : {1U, 3U}) {
    peer.says(frames::headers(id, frames::request_block(), 0x5));
    peer.session().send_headers(peer.stream(id), test::response_head(), {}, /*end_stream=*/false);
    test::send_text(peer.session(), peer.stream(id), std::string(200'000, 'x'), true);
  }
  std::vector<StreamId> order;
  for (const auto& frame : peer.hears()) {
    if (frame.header.type == FrameType::data) order.push_back(frame.header.stream);
  }
  const auto first_of_3 = std::ranges::find(order, 3U);
  EXPECT_LE(first_of_3 - order.begin(), 4) << "64 KiB of stream 1 at most come before stream 3";
}

TEST(Session, SendsALargeMessageAsOneFrameWithoutACopy) {
  Answering peer(
      {{SettingId::initial_window_size, 2'000'000}, {SettingId::max_frame_size, 2'000'000}});
  peer.says(frames::window_update(0, 2'000'000));
  OwnedBytes bytes(900'000);
  const std::byte* const data = bytes.data();
  peer.session().send_data(peer.stream(1), std::move(bytes), /*end_stream=*/true);
  std::array<iovec, 4> pieces;
  ASSERT_EQ(peer.session().output(pieces), 2U);
  EXPECT_EQ(pieces[0].iov_len, frame_header_size);
  EXPECT_EQ(pieces[1].iov_base, data);
  EXPECT_EQ(pieces[1].iov_len, 900'000U);
}

TEST(Session, KeepsBytesOfAResetStreamUntilTheirFrameIsSent) {
  Answering peer;
  peer.send(std::string(20'000, 'x'));
  std::array<iovec, 4> pieces;
  ASSERT_GT(peer.session().output(pieces), 1U);
  peer.session().reset_stream(peer.stream(1), ErrorCode::internal_error);
  peer.session().release(peer.stream(1));
  const auto frames = peer.hears();
  EXPECT_EQ(frames.front().payload, std::string(frames.front().payload.size(), 'x'));
  EXPECT_EQ(frames.back().header.type, FrameType::rst_stream);
}

// ---- writable -----------------------------------------------------------------------------------

TEST(Session, TellsWhenAStreamIsWritableAgain) {
  Answering peer;
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1)));
  peer.send(std::string((1 << 20) + 65'535, 'x'));
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1)));
  peer.take_events();
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.hears();
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1))) << "1 MiB is queued";
  peer.says(frames::window_update(1, 1) + frames::window_update(0, 1));
  peer.hears();
  peer.take_events();
  EXPECT_THAT(peer.events(), ElementsAre("writable 1"));
  EXPECT_TRUE(peer.session().is_writable(peer.stream(1)));
}

TEST(Session, AStreamWithNothingQueuedMayQueueOneMessageWhateverTheOthersHold) {
  SessionOptions options;
  options.limits.max_buffered_output = 1000;
  Answering peer({{SettingId::initial_window_size, 0}}, options);
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  peer.session().send_headers(peer.stream(3), test::response_head(), {}, /*end_stream=*/false);
  peer.hears();
  peer.events();
  peer.send(std::string(2000, 'x'));
  EXPECT_FALSE(peer.session().is_writable(peer.stream(1)));
  EXPECT_TRUE(peer.session().is_writable(peer.stream(3)));
  test::send_text(peer.session(), peer.stream(3), "x", false);
  EXPECT_FALSE(peer.session().is_writable(peer.stream(3)));

  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  peer.hears();
  peer.take_events();

  EXPECT_THAT(peer.events(), ElementsAre("writable 3"));
}

// ---- receiving into place -----------------------------------------------------------------------

TEST(Session, NamesTheBytesThatComeNextSoThatTheyAreReadInPlace) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  int owner = 0;
  peer.says(frames::headers(1, frames::request_block()));
  peer.stream(1).set_context(&owner);
  EXPECT_EQ(peer.session().direct_read().bytes, 0U);
  const std::string frame = frames::data(1, "0123456789", 0x1);

  peer.says(frame.substr(0, 12));
  ASSERT_EQ(peer.session().direct_read().bytes, 7U);
  EXPECT_EQ(peer.session().direct_read().stream, &peer.stream(1));
  const Event middle = peer.session().direct_received(3, peer.now());
  EXPECT_EQ(test::describe(middle), "data 1");
  ASSERT_EQ(peer.session().direct_read().bytes, 4U);
  const Event last = peer.session().direct_received(4, peer.now());

  EXPECT_EQ(test::describe(last), "data 1 end");
  EXPECT_EQ(peer.session().direct_read().bytes, 0U);
}

TEST(Session, ReadsNothingInPlaceForPaddedDataOrAResetStream) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  int owner = 0;
  peer.says(frames::headers(1, frames::request_block()));
  peer.stream(1).set_context(&owner);
  peer.says(frames::padded_data(1, "0123456789", 5).substr(0, 12));
  EXPECT_EQ(peer.session().direct_read().bytes, 0U);
  peer.says(frames::padded_data(1, "0123456789", 5).substr(12));
  peer.says(frames::data(1, "0123456789").substr(0, 12));
  peer.session().reset_stream(peer.stream(1), ErrorCode::cancel);
  EXPECT_EQ(peer.session().direct_read().bytes, 0U);
  peer.session().release(peer.stream(1));
  EXPECT_EQ(peer.session().direct_read().bytes, 0U);
  peer.says("3456789" + frames::ping("12345678"));
  EXPECT_THAT(peer.hears_words(), testing::Contains("PING 12345678 ACK"));
}

}  // namespace
}  // namespace nearcall::http2
