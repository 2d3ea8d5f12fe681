// SPDX-License-Identifier: Apache-2.0
// Keepalive, PINGs of clients, age and idleness of a server's connections (gRFC A8 and A9).
#include "server/manual_server.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;

class ConnectionPatienceTest : public ManualServerTest {
 protected:
  /// A client that has said hello.
  FramePeer& connect() {
    peer_.emplace(path(), FramePeer::passive);
    peer_->say_hello();
    settle();
    return *peer_;
  }
  /// With a stream that stays open.
  FramePeer& connect_with_a_call() {
    connect().ask(1, chat);
    settle();
    return *peer_;
  }
  /// Another message of the stream, and its answer.
  void chat_once() {
    peer_->say(frames::data(1, framed(text_of("hello"))));
    settle();
  }
  void ping() {
    peer_->say(frames::ping("12345678"));
    settle();
    peer_->listen();
  }
  /// Answers the server's PING.
  void answer(const HeardFrame& ping) {
    peer_->say(frames::ping(ping.payload, http2::frame_flag::ack));
    settle();
  }
  std::vector<HeardFrame> pings() { return peer_->heard(http2::FrameType::ping); }
  /// Of both phases.
  std::size_t goaways() { return peer_->heard(http2::FrameType::goaway).size(); }
  void expect_too_many_pings() {
    EXPECT_TRUE(peer_->has_ended());
    EXPECT_EQ(peer_->goaway(), ErrorCode::enhance_your_calm);
    EXPECT_EQ(peer_->goaway_text(), "too_many_pings");
    EXPECT_TRUE(log_capture().take("too_many_pings"));
  }

  std::optional<FramePeer> peer_;
};

// ---- keepalive ----------------------------------------------------------------------------------

TEST_F(ConnectionPatienceTest, ASilentClientIsAskedAndClosedIfItDoesNotAnswer) {
  start(ServerOptions().keepalive_time(100s).keepalive_timeout(10s));
  connect();

  advance(100s - 1ms);
  EXPECT_TRUE(pings().empty());
  advance(1ms);
  EXPECT_EQ(pings().size(), 1U);
  advance(10s - 1ms);
  EXPECT_FALSE(peer_->has_ended());
  advance(1ms);

  EXPECT_TRUE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, AClientThatAnswersStaysForGood) {
  start(ServerOptions().keepalive_time(100s).keepalive_timeout(10s));
  connect();

  for (std::size_t i = 1; i <= 100; ++i) {
    advance(100s);
    ASSERT_EQ(pings().size(), i);
    answer(pings().back());
  }

  EXPECT_FALSE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, AClientThatSpeaksIsNotAsked) {
  start(ServerOptions().keepalive_time(100s));
  connect_with_a_call();

  for (int i = 0; i < 100; ++i) {
    advance(99s);
    chat_once();
  }

  EXPECT_TRUE(pings().empty());
  EXPECT_FALSE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, TheHandlersOfASilentClientAreCancelled) {
  start(ServerOptions().keepalive_time(100s));
  connect().ask_whole(1, hold, text_of("until cancelled"));
  settle();

  advance(100s);
  advance(20s);
  settle();

  EXPECT_TRUE(peer_->has_ended());
  EXPECT_EQ(service_.cancelled.count(), 1);
}

TEST_F(ConnectionPatienceTest, ByDefaultAClientOverTcpIsAskedAfterTwoHoursAndHasTwentySeconds) {
  make(ServerOptions());
  server_->listen("ipv4:127.0.0.1:0", untrusted::anyone());
  begin();
  peer_.emplace(http2::Role::client, connect_tcp(server_->addresses().back()), FramePeer::passive);
  peer_->say_hello();
  settle();

  advance(2h - 1ms);
  EXPECT_TRUE(pings().empty());
  advance(1ms);
  EXPECT_EQ(pings().size(), 1U);
  advance(20s);

  EXPECT_TRUE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, ByDefaultAClientOverAUnixSocketIsNotAsked) {
  start();
  connect();

  advance(24h * 365);

  EXPECT_TRUE(pings().empty());
  EXPECT_FALSE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, WithoutKeepaliveASilentClientStays) {
  start(ServerOptions().keepalive_time(std::chrono::nanoseconds::max()));
  connect();

  advance(24h * 365);

  EXPECT_TRUE(pings().empty());
  EXPECT_FALSE(peer_->has_ended());
}

// ---- PINGs of clients ---------------------------------------------------------------------------

TEST_F(ConnectionPatienceTest, AClientWithACallThatPingsEveryFiveMinutesStaysForGood) {
  start();
  connect_with_a_call();

  for (int i = 0; i < 1000; ++i) {
    advance(5min);
    ping();
  }

  EXPECT_EQ(pings().size(), 1000U) << "all are answered";
  EXPECT_FALSE(peer_->has_ended());
}

/// The way takes a different time for each.
TEST_F(ConnectionPatienceTest, AClientWhosePingsComeABitEarlyAndLateStaysForGood) {
  start();
  connect_with_a_call();

  for (int i = 0; i < 1000; ++i) {
    advance(5min + (i % 2 == 0 ? -20s : 20s));
    ping();
  }

  EXPECT_FALSE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, AClientWithoutCallsThatPingsEveryTwoHoursStaysForGood) {
  start(ServerOptions().keepalive_time(std::chrono::nanoseconds::max()));
  connect();

  for (int i = 0; i < 1000; ++i) {
    advance(2h);
    ping();
  }

  EXPECT_FALSE(peer_->has_ended());
}

TEST_F(ConnectionPatienceTest, AClientWithACallThatPingsTenTimesAsOftenIsCutOff) {
  start();
  connect_with_a_call();

  for (int i = 0; i < 3; ++i) {
    ping();
    advance(30s);
  }
  ASSERT_FALSE(peer_->has_ended()) << "two are let pass";
  ping();

  expect_too_many_pings();
  EXPECT_TRUE(service_.cancelled.wait_for(1));
}

TEST_F(ConnectionPatienceTest, AClientWithoutCallsThatPingsEveryFiveMinutesIsCutOff) {
  start();
  connect();

  for (int i = 0; i < 3; ++i) {
    ping();
    advance(5min);
  }
  ASSERT_FALSE(peer_->has_ended());
  ping();

  expect_too_many_pings();
}

TEST_F(ConnectionPatienceTest, WhereItIsAllowedAClientMayPingWithoutCalls) {
  ConnectionLimits limits;
  limits.min_ping_interval_without_calls = 10s;
  start(ServerOptions().limits(limits).keepalive_time(std::chrono::nanoseconds::max()));
  connect();

  for (int i = 0; i < 1000; ++i) {
    advance(10s);
    ping();
  }

  EXPECT_FALSE(peer_->has_ended());
}

/// Clients measure the way of a reply with PINGs.
TEST_F(ConnectionPatienceTest, APingForEachAnswerIsFree) {
  start();
  connect_with_a_call();

  for (int i = 0; i < 1000; ++i) {
    chat_once();
    ping();
  }

  EXPECT_FALSE(peer_->has_ended());
}

/// Such an answer goes in one step, once its headers are known.
TEST_F(ConnectionPatienceTest, APingForEachAnswerOfAUnaryCallIsFree) {
  start();
  connect();

  for (http2::StreamId stream = 1; stream < 2000; stream += 2) {
    peer_->ask_whole(stream, echo, text_of("hello"));
    settle();
    ping();
  }

  EXPECT_FALSE(peer_->has_ended());
  EXPECT_EQ(peer_->goaway(), std::nullopt);
}

TEST_F(ConnectionPatienceTest, APingForEachPartOfALargeAnswerIsFree) {
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return text_of(std::string(500'000, 'x'));
  };
  start();
  connect().ask_whole(1, echo);
  settle();

  for (int i = 0; i < 400; ++i) {  // which is not all of it
    peer_->say(frames::window_update(1, 1000) + frames::window_update(0, 1000));
    settle();
    ping();
    peer_->listen();
  }

  EXPECT_FALSE(peer_->has_ended());
  EXPECT_EQ(peer_->goaway(), std::nullopt);
}

TEST_F(ConnectionPatienceTest, AnAnswerForgivesWhatCameTooEarly) {
  start();
  connect_with_a_call();

  for (int i = 0; i < 100; ++i) {
    ping();
    ping();
    ping();
    chat_once();
  }

  EXPECT_FALSE(peer_->has_ended());
}

// ---- age ----------------------------------------------------------------------------------------

TEST_F(ConnectionPatienceTest, AnOldConnectionTakesNoFurtherCallsAndItsCallsGoOn) {
  start(ServerOptions().max_connection_age(100s));
  connect_with_a_call();
  advance(89s);
  ASSERT_EQ(goaways(), 0U);

  advance(21s);
  advance(100ms);
  ASSERT_EQ(goaways(), 2U);
  EXPECT_EQ(peer_->goaway(), ErrorCode::no_error);
  EXPECT_EQ(peer_->goaway_text(), "max_age");
  advance(24h);
  chat_once();

  EXPECT_FALSE(peer_->heard(http2::FrameType::data).empty()) << "the call goes on";
  EXPECT_FALSE(peer_->has_ended());
  peer_->say(frames::data(1, "", http2::frame_flag::end_stream));
  settle();
  EXPECT_TRUE(peer_->has_ended()) << "it was the last one";
}

TEST_F(ConnectionPatienceTest, AfterTheGraceTheCallsOfAnOldConnectionEnd) {
  start(ServerOptions().max_connection_age(100s).max_connection_age_grace(10s));
  connect_with_a_call();
  advance(111s);
  ASSERT_FALSE(peer_->has_ended());

  advance(10s);

  EXPECT_TRUE(peer_->has_ended());
  EXPECT_EQ(peer_->stream(1).field("grpc-status"), "14");
  EXPECT_NE(peer_->stream(1).field("grpc-message").find("max_connection_age"), std::string::npos);
  EXPECT_TRUE(service_.cancelled.wait_for(1));
}

TEST_F(ConnectionPatienceTest, ConnectionsThatBeganTogetherDoNotGrowOldTogether) {
  constexpr int connections = 50;
  start(ServerOptions().max_connection_age(1000s));
  std::vector<std::unique_ptr<FramePeer>> peers;
  for (int i = 0; i < connections; ++i) {
    peers.push_back(std::make_unique<FramePeer>(path(), FramePeer::passive));
    peers.back()->say_hello();
  }
  settle();
  const auto count_old = [&] {
    advance(100ms);  // they do not answer the drain's PING
    return std::ranges::count_if(peers, [](const auto& peer) { return peer->has_ended(); });
  };

  advance(899s);
  EXPECT_EQ(count_old(), 0);
  advance(101s);
  const auto early = count_old();
  advance(101s);

  EXPECT_GT(early, connections / 10);
  EXPECT_LT(early, connections - connections / 10);
  EXPECT_EQ(count_old(), connections);
}

// ---- idleness -----------------------------------------------------------------------------------

TEST_F(ConnectionPatienceTest, AnIdleConnectionIsClosed) {
  start(ServerOptions().max_connection_idle(60s));
  connect();

  advance(60s - 1ms);
  EXPECT_EQ(goaways(), 0U);
  advance(1ms);
  advance(100ms);

  EXPECT_TRUE(peer_->has_ended());
  EXPECT_EQ(peer_->goaway(), ErrorCode::no_error);
  EXPECT_EQ(peer_->goaway_text(), "max_idle");
}

TEST_F(ConnectionPatienceTest, OneWithACallIsNotIdleHoweverSilentItIs) {
  start(ServerOptions().max_connection_idle(60s));
  connect_with_a_call();

  advance(1h);
  EXPECT_EQ(goaways(), 0U);
  peer_->say(frames::data(1, "", http2::frame_flag::end_stream));
  settle();
  advance(60s - 1ms);
  EXPECT_EQ(goaways(), 0U) << "it begins when the last call ends";
  advance(1ms);

  EXPECT_EQ(goaways(), 1U);
}

TEST_F(ConnectionPatienceTest, ACallThatComesWhileAnIdleOneIsToldIsServed) {
  start(ServerOptions().max_connection_idle(60s));
  connect();
  advance(60s);

  peer_->ask_whole(1, echo, text_of("still?"));
  settle();
  advance(100ms);

  EXPECT_TRUE(peer_->has_ended());
  EXPECT_EQ(peer_->stream(1).field("grpc-status"), "0");
}

// ---- blocking clients ---------------------------------------------------------------------------

class PausingClientTest : public WrapperServerTest {};

/// Nobody drives its connection meanwhile, and so nobody answers.
TEST_F(PausingClientTest, OneThatDoesNotWaitForLongerThanKeepaliveAllowsLosesItsStream) {
  start(ServerOptions().keepalive_time(1s).keepalive_timeout(10ms));
  auto call = client_.bidi_streaming<Text, Text>(WrapperService::chat, CallOptions().timeout(20s));
  ASSERT_TRUE(call.write(text_of("a")));
  ASSERT_TRUE(call.read());

  EXPECT_TRUE(service_.cancelled.wait_for(1));

  EXPECT_FALSE(call.read());
  EXPECT_EQ(call.finish().code(), StatusCode::unavailable);
}

}  // namespace
}  // namespace nearcall::test
