// SPDX-License-Identifier: Apache-2.0
// Streaming calls with a hedgingPolicy: all attempts get the same requests, and one is read.
#include "client/hedging_client.hpp"

#include <future>
#include <memory>
#include <string>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

/// Of as many one-byte messages.
std::string small_messages(std::string_view bytes) {
  std::string all;
  for (const char c : bytes)
    all += framed(text_of(std::string(1, c)));
  return all;
}

/// Until that much of the requests has come.
void hear(SessionPeer& peer, http2::Stream& stream, const std::string& body) {
  while (peer.heard(stream).body.size() < body.size())
    ASSERT_TRUE(peer.ping());
  EXPECT_EQ(peer.heard(stream).body, body);
}

class BlockingHedgedStreamTest : public LogCheckedTest {};
class AwaitedHedgedStreamTest : public LogCheckedTest {};

/// Hears "ab" on each of three attempts, answers the last, and hears the rest on that one.
void serve_third(SessionPeer& peer) {
  const HedgedCalls calls = next_hedges(peer, 3);
  ASSERT_EQ(calls.streams.size(), 3U);
  for (http2::Stream* const stream : calls.streams)
    hear(peer, *stream, small_messages("ab"));
  http2::Stream& winner = *calls.streams[2];
  peer.begin(winner);
  peer.message(winner, "third");
  EXPECT_EQ(peer.wait_for_reset(*calls.streams[0]), http2::ErrorCode::cancel);
  EXPECT_EQ(peer.wait_for_reset(*calls.streams[1]), http2::ErrorCode::cancel);
  hear(peer, winner, small_messages("abcd"));
  while (!peer.heard(winner).has_ended)
    ASSERT_TRUE(peer.ping());
  peer.end(winner);
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_F(BlockingHedgedStreamTest, AllAttemptsGetTheSameRequestsUntilOneIsAnswered) {
  ScriptedServer server({serve_third});
  Channel channel("mine", server.options().service_config(hedging_config(3)));
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
  EXPECT_TRUE(call.write(text_of("a")));
  EXPECT_TRUE(call.write(text_of("b")));
  const std::optional<Text> reply = call.read();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->value(), "third");
  EXPECT_TRUE(call.write(text_of("c")));
  EXPECT_TRUE(call.write(text_of("d")));
  EXPECT_TRUE(call.writes_done());
  EXPECT_FALSE(call.read().has_value());
  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(call.attempts(), 3);
}

Task<> chat_with_third(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  for (const char* const text : {"a", "b"}) {
    const Text message = text_of(text);
    const bool is_taken = co_await call.write(message);
    EXPECT_TRUE(is_taken);
  }
  const std::optional<Text> reply = co_await call.read();
  EXPECT_TRUE(reply.has_value());
  for (const char* const text : {"c", "d"}) {
    const Text message = text_of(text);
    const bool is_taken = co_await call.write(message);
    EXPECT_TRUE(is_taken);
  }
  call.writes_done();
  const std::optional<Text> end = co_await call.read();
  EXPECT_FALSE(end.has_value());
  const Status status = co_await call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(call.attempts(), 3);
}

TEST_F(AwaitedHedgedStreamTest, AllAttemptsGetTheSameRequestsUntilOneIsAnswered) {
  ScriptedServer server({serve_third});
  Channel channel("mine", server.options().service_config(hedging_config(3)));
  sync_wait(chat_with_third(ClientStub(channel, test_methods)));
}

/// The requests have ended before the last attempt begins.
void serve_late(SessionPeer& peer) {
  const HedgedCalls calls = next_hedges(peer, 2);
  ASSERT_EQ(calls.streams.size(), 2U);
  for (http2::Stream* const stream : calls.streams) {
    hear(peer, *stream, small_messages("xyz"));
    while (!peer.heard(*stream).has_ended)
      ASSERT_TRUE(peer.ping());
  }
  peer.answer(*calls.streams[1], "late");
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_F(BlockingHedgedStreamTest, AnAttemptThatBeginsLaterGetsAllOfThem) {
  ScriptedServer server({serve_late});
  Channel channel("mine", server.options().service_config(hedging_config(2, "0.02s")));
  auto call =
      ClientStub(channel, test_methods).client_streaming<Text, Text>(collect_method, patient());
  for (const char* const text : {"x", "y", "z"})
    EXPECT_TRUE(call.write(text_of(text)));
  const Result<Text> reply = call.finish();
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "late");
}

Task<> collect_late(const ClientStub& stub) {
  auto call = stub.client_streaming_async<Text, Text>(collect_method, patient());
  for (const char* const text : {"x", "y", "z"}) {
    const Text message = text_of(text);
    const bool is_taken = co_await call.write(message);
    EXPECT_TRUE(is_taken);
  }
  const Result<Text> reply = co_await call.finish();
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(AwaitedHedgedStreamTest, AnAttemptThatBeginsLaterGetsAllOfThem) {
  ScriptedServer server({serve_late});
  Channel channel("mine", server.options().service_config(hedging_config(2, "0.02s")));
  sync_wait(collect_late(ClientStub(channel, test_methods)));
}

/// A6, "Memory Management": the first attempt is the call's, and the other is cancelled.
void serve_more_than_is_kept(SessionPeer& peer, std::promise<void>& both) {
  const HedgedCalls calls = next_hedges(peer, 2);
  both.set_value();
  ASSERT_EQ(calls.streams.size(), 2U);
  EXPECT_EQ(peer.wait_for_reset(*calls.streams[1]), http2::ErrorCode::cancel);
  hear(peer, *calls.streams[0], small_messages("abcd"));
  while (!peer.heard(*calls.streams[0]).has_ended)
    ASSERT_TRUE(peer.ping());
  peer.answer(*calls.streams[0], "first");
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_F(BlockingHedgedStreamTest, MoreThanMayBeKeptCommitsTheCallToTheFirst) {
  std::promise<void> both;
  ScriptedServer server({[&both](SessionPeer& peer) { serve_more_than_is_kept(peer, both); }});
  Channel channel("mine", server.options()
                              .max_call_retry_buffer(small_messages("ab").size())
                              .service_config(hedging_config(2)));
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
  std::thread reader(
      [&call] { EXPECT_EQ(call.read().value_or(text_of("none")).value(), "first"); });
  for (const char* const text : {"a", "b"})
    EXPECT_TRUE(call.write(text_of(text)));
  both.get_future().wait();
  for (const char* const text : {"c", "d"})
    EXPECT_TRUE(call.write(text_of(text)));
  EXPECT_TRUE(call.writes_done());
  reader.join();
  const Status status = call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(BlockingHedgedStreamTest, AServerStreamIsReadFromTheOneThatAnswers) {
  ScriptedServer server({[](SessionPeer& peer) {
    const HedgedCalls calls = next_hedges(peer, 2);
    peer.begin(*calls.streams.at(1));
    peer.message(*calls.streams.at(1), "one");
    peer.message(*calls.streams.at(1), "two");
    peer.end(*calls.streams.at(1));
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(hedging_config(2)));
  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), patient());
  std::string all;
  while (const std::optional<Text> reply = call.read())
    all += reply->value() + " ";
  EXPECT_EQ(all, "one two ");
  EXPECT_TRUE(call.finish().ok());
}

/// One thread writes, another one reads, and attempts come, fail and die with their connection.
TEST_F(BlockingHedgedStreamTest, TwoThreadsOfACallHedgeTogether) {
  constexpr int rounds = 10;
  constexpr int messages = 20;
  for (int round = 0; round < rounds; ++round) {
    std::string body;
    const auto fail = [round](SessionPeer& peer) {
      HedgedCalls calls = next_hedges(peer, 2);
      ASSERT_EQ(calls.streams.size(), 2U);
      if (round % 2 == 0) return;  // and the connection with it
      fail_call(peer, *calls.streams[1]);
      fail_call(peer, *calls.streams[0]);
    };
    const auto serve = [&body](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      body = peer.heard(*stream).body;
      peer.answer(*stream, "at last");
      EXPECT_TRUE(peer.wait_for_end());
    };
    const auto fail_then_serve = [&](SessionPeer& peer) {
      fail(peer);
      if (round % 2 != 0) serve(peer);
    };
    ScriptedServer server({fail_then_serve, serve});
    {
      Channel channel(
          "mine", server.options().max_connections(1).service_config(hedging_config(5, "0.1s")));
      auto call =
          ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
      std::thread writer([&call] {
        for (int i = 0; i < messages; ++i)
          EXPECT_TRUE(call.write(text_of("x")));
        EXPECT_TRUE(call.writes_done());
      });
      EXPECT_TRUE(call.read().has_value());
      writer.join();
      const Status status = call.finish();
      EXPECT_TRUE(status.ok()) << status.to_string();
    }
    server.join();
    EXPECT_EQ(body, small_messages(std::string(messages, 'x')));
  }
}

}  // namespace
}  // namespace nearcall::test
