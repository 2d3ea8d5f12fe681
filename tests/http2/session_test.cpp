// SPDX-License-Identifier: Apache-2.0
// Session: a whole exchange, handshakes, and the life of streams.
#include "http2/session.hpp"

#include "http2/scenario.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
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
    if (const auto* const data = std::get_if<DataEvent>(&event); data && data->end_stream) {
      pair.server.consumed(*data->stream, data->bytes.size());
      pair.server.send_headers(*data->stream, test::response_head(), {}, /*end_stream=*/false);
      test::send_text(pair.server, *data->stream, "world", /*end_stream=*/false);
      pair.server.send_headers(*data->stream, test::ok_trailers(), {}, /*end_stream=*/true);
      pair.server.release(*data->stream);
    }
  };
  pair.on_client = [&](const Event& event) {
    seen.push_back("client: " + test::describe(event));
    if (ends_stream(event)) pair.client.release(*stream_of(event));
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
                                                 {SettingId::initial_window_size, 1088U << 10U},
                                                 {SettingId::max_frame_size, 1088U << 10U},
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
                                                 {SettingId::initial_window_size, 1088U << 10U},
                                                 {SettingId::max_frame_size, 1088U << 10U},
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
  options.limits->max_concurrent_streams = 1;
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
}  // namespace nearcall::inline v0::detail::http2
