// SPDX-License-Identifier: Apache-2.0
// ServerConnection: requests that name nothing, peers that speak something else, and the drain.
#include "server/server_connection.hpp"

#include "server/manual_server.hpp"
#include "server/wrapper_service.hpp"
#include "support/io.hpp"
#include "support/session_peer.hpp"

#include <gmock/gmock.h>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr const char* unimplemented = "12";

class ServerConnectionTest : public WrapperServerTest {
 protected:
  ServerConnectionTest() { start(); }

  /// What the server answers to bytes that are no HTTP/2, until it closes.
  std::string answer_to_bytes(std::string_view bytes) {
    const std::unique_ptr<Transport> peer = connect_raw(path());
    EXPECT_TRUE(write_all(*peer, bytes));
    return read_exactly(*peer, 1'000'000);
  }
};

TEST_F(ServerConnectionTest, ARequestIsAnswered) {
  SessionPeer client(path());

  const auto answer =
      client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(text_of("a")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at(":status"), "200");
  EXPECT_EQ(answer->fields.at("content-type"), "application/grpc");
  EXPECT_EQ(answer->fields.at("grpc-status"), "0");
  EXPECT_EQ(answer->body, framed(text_of("a")));
}

TEST_F(ServerConnectionTest, AnUnknownServiceIsNamed) {
  SessionPeer client(path());

  const auto answer = client.call(SessionPeer::request_to("/test.Nothing/Echo"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at(":status"), "200");
  EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented);
  EXPECT_EQ(answer->fields.at("grpc-message"), "unknown service \"test.Nothing\"");
}

TEST_F(ServerConnectionTest, ALongNameOfAnUnknownServiceIsCutShort) {
  SessionPeer client(path());
  const std::string name(4000, 's');

  const auto answer = client.call(SessionPeer::request_to("/" + name + "/Echo"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-message"),
            "unknown service \"" + name.substr(0, 128) + "...\"");
}

TEST_F(ServerConnectionTest, ARejectionKeepsToTheHeaderListThatThePeerTakes) {
  FramePeer client(path());
  ASSERT_TRUE(client.greet({{http2::SettingId::max_header_list_size, 300}}));

  client.ask_whole(1, "/" + std::string(4000, 's') + "/Echo");

  const HeardStream& answer = client.hear(1);
  std::size_t list_size = 0;
  for (const auto& [name, value] : answer.fields)
    list_size += name.size() + value.size() + 32;
  EXPECT_LE(list_size, 300U);
  EXPECT_EQ(answer.field("grpc-status"), unimplemented);
  EXPECT_NE(answer.field("grpc-message").find("(cut: "), std::string::npos)
      << answer.field("grpc-message");
}

TEST_F(ServerConnectionTest, AnUnknownMethodIsNamed) {
  SessionPeer client(path());

  const auto answer = client.call(SessionPeer::request_to("/test.Wrapper/Nothing"), framed(Text()));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented);
  EXPECT_EQ(answer->fields.at("grpc-message"), "unknown method \"/test.Wrapper/Nothing\"");
}

TEST_F(ServerConnectionTest, APathThatIsNoneIsUnimplementedToo) {
  SessionPeer client(path());
  for (const char* bad_path : {"/", "/Echo", "//", "/test.Wrapper/", "/a/b/c"}) {
    const auto answer = client.call(SessionPeer::request_to(bad_path), framed(Text()));

    ASSERT_TRUE(answer) << bad_path;
    EXPECT_EQ(answer->fields.at("grpc-status"), unimplemented) << bad_path;
  }
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerConnectionTest, WhatIsNoCallOfGrpcGetsAnHttpStatus) {
  SessionPeer client(path());
  SessionPeer::Fields get = SessionPeer::request_to("/test.Wrapper/Echo");
  get[0].value = "GET";
  SessionPeer::Fields json = SessionPeer::request_to("/test.Wrapper/Echo");
  json.back().value = "application/json";

  const auto to_get = client.call(get, "");
  const auto to_json = client.call(json, "{}");

  ASSERT_TRUE(to_get && to_json);
  EXPECT_EQ(to_get->fields.at(":status"), "405");
  EXPECT_EQ(to_json->fields.at(":status"), "415");
}

TEST_F(ServerConnectionTest, TheSameConnectionServesOnAfterARejection) {
  SessionPeer client(path());
  ASSERT_TRUE(client.call(SessionPeer::request_to("/no/such"), framed(Text())));

  const auto answer =
      client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(text_of("b")));

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("b")));
}

TEST_F(ServerConnectionTest, ARequestOfHttp1IsClosedWithoutAByteAndNamedInTheLog) {
  EXPECT_EQ(answer_to_bytes("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("HTTP/1.1 request"));
}

TEST_F(ServerConnectionTest, AHelloOfTlsIsClosedWithoutAByteAndNamedInTheLog) {
  EXPECT_EQ(answer_to_bytes({"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11}), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("TLS ClientHello"));
}

TEST_F(ServerConnectionTest, RandomBytesAreClosedAndTheLogSaysFromWhom) {
  EXPECT_EQ(answer_to_bytes("\xde\xad\xbe\xef and whatever follows it"), "");

  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("pid=" + std::to_string(::getpid()) + ": "));
}

TEST_F(ServerConnectionTest, AFrameThatBreaksTheRulesIsAnsweredWithGoaway) {
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  const std::string data_on_stream_0("\0\0\1\0\0\0\0\0\0x", 10);

  const std::string answer =
      answer_to_bytes(std::string(http2::client_preface) + settings + data_on_stream_0);

  const std::string goaway_header("\7\0\0\0\0\0", 6);  // type, flags, stream
  EXPECT_NE(answer.find(goaway_header), std::string::npos);
  EXPECT_TRUE(is_serving());
  EXPECT_TRUE(log_capture().take("pid="));
}

TEST_F(ServerConnectionTest, APeerThatLeavesInTheMiddleOfAMessageCancelsItsCall) {
  {
    SessionPeer client(path());
    http2::Stream& call = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
    client.send(call, framed(text_of("half")).substr(0, 7), /*end_stream=*/false);
    ASSERT_TRUE(service_.started.wait_for(1));
  }
  EXPECT_TRUE(service_.cancelled.wait_for(1));
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerConnectionTest, AResetCancelsItsCallAndNoOther) {
  SessionPeer client(path());
  http2::Stream& dropped = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
  http2::Stream& kept = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
  ASSERT_TRUE(service_.started.wait_for(2));

  client.reset(dropped);
  EXPECT_TRUE(service_.cancelled.wait_for(1));
  client.send(kept, framed(text_of("on")), /*end_stream=*/true);

  const auto answer = client.answer_to(kept);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, framed(text_of("on")));
}

TEST_F(ServerConnectionTest, AnIdleConnectionIsToldAndClosedAtStop) {
  SessionPeer client(path());
  ASSERT_TRUE(client.call(SessionPeer::request_to("/test.Wrapper/Echo"), framed(Text())));

  server_->stop();

  EXPECT_EQ(client.read_to_the_end(), http2::ErrorCode::no_error);
  server_->wait();
}

TEST_F(ServerConnectionTest, AConnectionThatNeverSaidAnythingIsToldAndDoesNotHoldUpTheStop) {
  FramePeer silent(path(), FramePeer::passive);
  ASSERT_TRUE(is_serving()) << "it was accepted before";

  stop();

  EXPECT_TRUE(silent.has_ended());
  EXPECT_EQ(silent.frames_heard(http2::FrameType::settings), 1U);
  EXPECT_EQ(silent.goaway(), http2::ErrorCode::no_error);
}

// ---- time, and the two phases of a stop ---------------------------------------------------------

class ServerConnectionTimeTest : public ManualServerTest {
 protected:
  /// Says hello, and opens a call that does not end by itself.
  void begin_chat(FramePeer& peer) {
    peer.say_hello();
    peer.ask(1, "/test.Wrapper/Chat");
    settle();
  }
  void expect_stall_to_end_after(detail::Duration patience) {
    advance(patience - 1ms);
    EXPECT_FALSE(has_stopped());
    advance(1ms);
    EXPECT_TRUE(has_stopped());
    EXPECT_TRUE(log_capture().take("stall_timeout"));
  }
  std::vector<http2::StreamId> goaways(FramePeer& peer) {
    std::vector<http2::StreamId> last_ids;
    for (const HeardFrame& frame : peer.heard(http2::FrameType::goaway))
      last_ids.push_back(frame.number_at(0));
    return last_ids;
  }
  /// The PING that the server wants an answer to.
  std::string drain_ping(FramePeer& peer) {
    const std::vector<HeardFrame> pings = peer.heard(http2::FrameType::ping);
    EXPECT_EQ(pings.size(), 1U);
    return pings.empty() ? std::string() : pings.front().payload;
  }
};

TEST_F(ServerConnectionTimeTest, APeerThatSaysNothingIsClosedAfterFiveSeconds) {
  start();
  FramePeer silent(path(), FramePeer::passive);
  FramePeer half(path(), FramePeer::passive);
  half.say(frames::preface());
  settle();

  advance(4999ms);
  EXPECT_FALSE(silent.has_ended());
  EXPECT_FALSE(half.has_ended());
  advance(1ms);

  EXPECT_TRUE(silent.has_ended());
  EXPECT_TRUE(half.has_ended()) << "a preface without SETTINGS";
  EXPECT_TRUE(log_capture().take("handshake_timeout"));
}

TEST_F(ServerConnectionTimeTest, OneLineASecondTellsWhatPeersDoWrong) {
  start();
  const auto speak_http1 = [this] {
    FramePeer(path(), FramePeer::passive).say("GET / HTTP/1.1\r\n\r\n");
    settle();
  };
  speak_http1();
  EXPECT_TRUE(log_capture().take("HTTP/1.1 request"));

  advance(999ms);
  speak_http1();
  EXPECT_FALSE(log_capture().take("HTTP/1.1 request"));
  advance(1ms);
  speak_http1();

  EXPECT_TRUE(log_capture().take("(and 1 more before)"));
}

TEST_F(ServerConnectionTimeTest, APeerThatHasSaidHelloMayBeSilent) {
  start();
  FramePeer idle(path(), FramePeer::passive);
  idle.say_hello();
  settle();

  advance(24h);

  EXPECT_FALSE(idle.has_ended());
}

TEST_F(ServerConnectionTimeTest, AHeaderBlockThatStaysOpenIsClosedAfterFiveSeconds) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello();
  peer.say(frames::headers(1, frames::request_block(), /*flags=*/0));
  settle();

  advance(4999ms);
  EXPECT_FALSE(peer.has_ended());
  advance(1ms);

  EXPECT_TRUE(peer.has_ended());
  EXPECT_TRUE(log_capture().take("header_block_timeout"));
}

TEST_F(ServerConnectionTimeTest, AHeaderBlockThatCameWhileTheLoopWasBusyCameInTime) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello();
  const std::string block = frames::headers(1, frames::request_block());
  peer.say(block.substr(0, block.size() - 1));
  settle();

  peer.say(block.substr(block.size() - 1));
  advance(1h);

  EXPECT_FALSE(peer.has_ended());
  EXPECT_FALSE(peer.heard_on(1).empty()) << "an answer";
}

TEST_F(ServerConnectionTimeTest, AStopIsToldInTwoPhasesAHundredMillisecondsApart) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  begin_chat(peer);

  stop();
  EXPECT_THAT(goaways(peer), ElementsAre(http2::max_stream_id));
  advance(99ms);
  EXPECT_EQ(goaways(peer).size(), 1U);
  advance(1ms);

  EXPECT_THAT(goaways(peer), ElementsAre(http2::max_stream_id, 1U));
  EXPECT_FALSE(peer.has_ended()) << "a call is under way";
}

TEST_F(ServerConnectionTimeTest, AnAnswerToThePingBringsTheSecondPhaseAtOnce) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  begin_chat(peer);
  stop();

  peer.say(frames::ping("another!", frames::flag::ack));
  settle();
  EXPECT_EQ(goaways(peer).size(), 1U) << "not that PING";
  peer.say(frames::ping(drain_ping(peer), frames::flag::ack));
  settle();

  EXPECT_THAT(goaways(peer), ElementsAre(http2::max_stream_id, 1U));
}

TEST_F(ServerConnectionTimeTest, ACallThatWasOnItsWayWhenTheStopBeganIsServed) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello();
  settle();
  stop();

  peer.ask_whole(1, "/test.Wrapper/Echo");
  settle();
  peer.say(frames::ping(drain_ping(peer), frames::flag::ack));
  settle();

  EXPECT_EQ(peer.heard(http2::FrameType::data).size(), 1U);
  EXPECT_THAT(goaways(peer), ElementsAre(http2::max_stream_id, 1U));
  EXPECT_TRUE(peer.has_ended()) << "no stream is left";
  peer.close();
  settle();
  EXPECT_TRUE(has_stopped());
}

TEST_F(ServerConnectionTimeTest, AConnectionThatNobodyHasAcceptedWhenTheStopBeganIsServed) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello();
  peer.ask_whole(1, "/test.Wrapper/Echo");

  stop();
  peer.say(frames::ping(drain_ping(peer), frames::flag::ack));
  settle();

  EXPECT_EQ(peer.heard(http2::FrameType::data).size(), 1U);
  EXPECT_THAT(goaways(peer), ElementsAre(http2::max_stream_id, 1U));
  EXPECT_TRUE(peer.has_ended());
  peer.close();
  settle();
  EXPECT_TRUE(has_stopped());
}

TEST_F(ServerConnectionTimeTest, ACallAfterTheSecondPhaseIsNotBegun) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  begin_chat(peer);
  stop();
  advance(100ms);

  peer.ask_whole(3, "/test.Wrapper/Echo");
  settle();

  EXPECT_TRUE(peer.heard(http2::FrameType::data).empty());
  EXPECT_FALSE(peer.has_ended());
}

TEST_F(ServerConnectionTimeTest, TheNameGoesAtOnceAndTheServerWithTheLastCall) {
  start();
  FramePeer peer(path(), FramePeer::passive);
  begin_chat(peer);
  stop();
  EXPECT_NE(::access(path().c_str(), F_OK), 0);
  advance(10s);
  EXPECT_FALSE(has_stopped());

  peer.say(frames::data(1, "", frames::flag::end_stream));
  settle();

  EXPECT_TRUE(peer.has_ended());
  peer.close();
  settle();
  EXPECT_TRUE(has_stopped());
}

TEST_F(ServerConnectionTimeTest, ADrainThatAPeerHoldsUpByNotReadingEndsAfterThirtySeconds) {
  constexpr std::uint32_t window = 8 * 1024 * 1024;
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return text_of(std::string(3'500'000, 'x'));
  };
  start(ServerOptions().drain_timeout(1h));
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello({{http2::SettingId::initial_window_size, window}});
  peer.say(frames::window_update(0, window));
  peer.ask_whole(1, "/test.Wrapper/Echo");
  settle();
  stop();

  expect_stall_to_end_after(30s);
}

TEST_F(ServerConnectionTimeTest, ADrainThatAPeerHoldsUpWithAClosedWindowEndsAfterThirtySeconds) {
  start(ServerOptions().drain_timeout(1h));
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello({{http2::SettingId::initial_window_size, 0}});
  peer.ask_whole(1, "/test.Wrapper/Echo", text_of("hello"));
  settle();
  stop();
  advance(100ms);  // the second GOAWAY is progress

  expect_stall_to_end_after(30s);
}

/// A peer that gives its streams no window.
class ClosedWindowTest : public ServerConnectionTimeTest {
 protected:
  ClosedWindowTest() {
    ConnectionLimits limits;
    limits.max_concurrent_streams = 1;
    limits.min_ping_interval = 0s;
    start(ServerOptions().limits(limits));
    peer_.emplace(path(), FramePeer::passive);
    peer_->say_hello({{http2::SettingId::initial_window_size, 0}});
  }
  /// It is alive all the time.
  void advance_with_pings(detail::Duration duration) {
    for (int i = 0; i < 10; ++i) {
      peer_->say(frames::ping("awake..."));
      advance(duration / 10);
    }
    EXPECT_FALSE(peer_->has_ended());
  }
  std::optional<http2::ErrorCode> reset_of(http2::StreamId id) {
    peer_->listen();
    return peer_->stream(id).reset;
  }

  std::optional<FramePeer> peer_;
};

TEST_F(ClosedWindowTest, AReplyBehindItIsDroppedAtTheDeadlineOfItsCall) {
  peer_->ask_whole(1, "/test.Wrapper/Echo", text_of("hello"), "1S");
  settle();
  advance_with_pings(990ms);
  peer_->ask_whole(3, "/test.Wrapper/Echo", text_of("hello"));
  settle();
  ASSERT_EQ(reset_of(1), std::nullopt);
  ASSERT_EQ(reset_of(3), http2::ErrorCode::refused_stream) << "the slot is taken";

  advance_with_pings(10ms);

  EXPECT_EQ(reset_of(1), http2::ErrorCode::cancel);
  peer_->ask_whole(5, "/test.Wrapper/Echo", text_of("hello"));
  settle();
  EXPECT_EQ(reset_of(5), std::nullopt) << "the slot is free";
  EXPECT_FALSE(peer_->heard_on(5).empty());
}

TEST_F(ClosedWindowTest, AReplyBehindItWaitsIfItsCallHasNoDeadline) {
  peer_->ask_whole(1, "/test.Wrapper/Echo", text_of("hello"));
  settle();
  advance_with_pings(24h);
  ASSERT_EQ(reset_of(1), std::nullopt);
  ASSERT_TRUE(peer_->heard(http2::FrameType::data).empty());

  peer_->say(frames::window_update(1, 1000));
  settle();

  EXPECT_EQ(peer_->heard(http2::FrameType::data).size(), 1U);
}

TEST_F(ClosedWindowTest, RepliesOfAStreamBehindItAreDroppedAtTheDeadlineToo) {
  peer_->ask(1, "/test.Wrapper/Chat", "1S");
  peer_->say(frames::data(1, framed(text_of("hello"))));
  settle();
  ASSERT_TRUE(service_.started.wait_for(1));
  ASSERT_TRUE(peer_->heard(http2::FrameType::data).empty());

  advance_with_pings(1s);
  settle();  // the timer that was set by the last one

  EXPECT_TRUE(service_.cancelled.wait_for(1));
  EXPECT_EQ(reset_of(1), http2::ErrorCode::cancel);
}

TEST_F(ServerConnectionTimeTest, AReaderThatPausesWhenTheHandlerIsDoneStillGetsAll) {
  constexpr std::uint32_t window = 8 * 1024 * 1024;
  constexpr std::size_t size = 2'000'000;
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return text_of(std::string(size, 'x'));
  };
  start();
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello({{http2::SettingId::initial_window_size, window}});
  peer.say(frames::window_update(0, window));
  peer.ask_whole(1, "/test.Wrapper/Echo");
  settle();

  advance(1h);
  std::size_t came = 0;
  for (int round = 0; round < 1000 && came < size && !peer.has_ended(); ++round) {
    settle();
    came = 0;
    for (const HeardFrame& data : peer.heard(http2::FrameType::data))
      came += data.payload.size();
  }

  EXPECT_GT(came, size);
  EXPECT_FALSE(peer.has_ended());
}

TEST_F(ServerConnectionTimeTest, TheDrainTimeoutCancelsWhatIsLeft) {
  start(ServerOptions().drain_timeout(10s));
  FramePeer peer(path(), FramePeer::passive);
  begin_chat(peer);
  stop();
  advance(9999ms);
  EXPECT_FALSE(peer.has_ended());

  advance(1ms);

  EXPECT_TRUE(peer.has_ended());
  EXPECT_TRUE(service_.cancelled.wait_for(1));
  EXPECT_TRUE(has_stopped());
}

TEST_F(ServerConnectionTimeTest, TheDrainTimeoutCancelsTheNewestCallFirst) {
  start(ServerOptions().drain_timeout(10s));
  FramePeer peer(path(), FramePeer::passive);
  peer.say_hello();
  for (const http2::StreamId id : {1U, 3U, 5U})
    peer.ask_whole(id, hold);
  settle();
  stop();

  advance(10s);

  std::vector<http2::StreamId> answered;
  for (const HeardFrame& answer : peer.heard(http2::FrameType::headers))
    answered.push_back(answer.header.stream);
  EXPECT_THAT(answered, ElementsAre(5, 3, 1));
}

}  // namespace
}  // namespace nearcall::test
