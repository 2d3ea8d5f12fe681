// SPDX-License-Identifier: Apache-2.0
// Calls that the server provably did not begin: which are repeated, where, and how others end.
#include "client/script_methods.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;

class BlockingRepeatTest : public LogCheckedTest {};

Task<Result<std::unique_ptr<Transport>>> refuse_to_connect() {
  co_return Failure{Status(StatusCode::unavailable, "there is just one")};
}

Task<Result<std::unique_ptr<Transport>>> never_connects() {
  co_await sleep_for(1h);
  co_return Failure{Status(StatusCode::internal, "not reached")};
}

/// Does not take the first call, and answers those that come later with `value`.
ScriptedServer::Script refuse_once_then_answer(std::string value) {
  return [value = std::move(value)](SessionPeer& peer) {
    http2::Stream* const first = peer.next_call();
    ASSERT_NE(first, nullptr);
    peer.reset(*first, ErrorCode::refused_stream);
    EXPECT_TRUE(peer.answer_all(value));
  };
}

ScriptedServer::Script answer_all(std::string value) {
  return [value = std::move(value)](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all(value)); };
}

TEST_F(BlockingRepeatTest, ACallThatIsRefusedIsRepeatedOnAFreshConnection) {
  ScriptedServer server({refuse_once_then_answer("first"), answer_all("second")});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const Result<Text> reply = call_unary(stub);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "second");
  EXPECT_EQ(server.connection_count(), 2U);
}

TEST_F(BlockingRepeatTest, TheConnectionThatRefusedACallServesOthers) {
  ScriptedServer server({refuse_once_then_answer("first"), answer_all("second")});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  ASSERT_TRUE(call_unary(stub).ok());

  auto holds_one = stub.bidi_streaming<Text, Text>(chat_method, patient());
  const Result<Text> reply = call_unary(stub);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "first");
  EXPECT_EQ(server.connection_count(), 2U);
}

TEST_F(BlockingRepeatTest, ARefusedCallIsRepeatedOnTheSameConnectionIfThereMayBeOnlyOne) {
  ScriptedServer server({refuse_once_then_answer("at last")});
  Channel channel("mine", server.options().max_connections(1));

  const Result<Text> reply = call_unary(ClientStub(channel, test_methods));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "at last");
  EXPECT_EQ(server.connection_count(), 1U);
}

TEST_F(BlockingRepeatTest, ARefusedCallIsRepeatedOnTheSameConnectionIfNoOtherCanBeMade) {
  ScriptedServer server({refuse_once_then_answer("at last")});
  int attempts = 0;
  const std::shared_ptr<Connector> first = server.options().connector();
  Channel channel("mine",
                  ChannelOptions().connector(
                      [&](ConnectContext context) -> Task<Result<std::unique_ptr<Transport>>> {
                        if (++attempts == 1) return first->connect(std::move(context));
                        return refuse_to_connect();
                      }));
  const ClientStub stub(channel, test_methods);

  for (int i = 0; i < 2; ++i) {
    const Result<Text> reply = call_unary(stub);
    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(reply->value(), "at last");
  }
  EXPECT_EQ(attempts, 2);
}

TEST_F(BlockingRepeatTest, ARefusedCallIsRepeatedOnAnIdleConnectionIfThereMayNotBeMore) {
  const auto chat_then_refuse = [](SessionPeer& peer) {
    http2::Stream* const chat = peer.next_call();
    ASSERT_NE(chat, nullptr);
    peer.answer(*chat, "chat");
    http2::Stream* const refused = peer.next_call();
    ASSERT_NE(refused, nullptr);
    peer.reset(*refused, ErrorCode::refused_stream);
    EXPECT_TRUE(peer.wait_for_end());
  };
  ScriptedServer server({chat_then_refuse, answer_all("the other")});
  Channel channel("mine", server.options().max_connections(2));
  const ClientStub stub(channel, test_methods);
  {
    auto chat = stub.bidi_streaming<Text, Text>(chat_method, patient());
    ASSERT_TRUE(call_unary(stub).ok());
    ASSERT_TRUE(chat.finish().ok());
  }

  const Result<Text> reply = call_unary(stub);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "the other");
  EXPECT_EQ(server.connection_count(), 2U);
}

TEST_F(BlockingRepeatTest, AServerStreamingCallThatIsRefusedOnceIsRepeatedByItsReader) {
  for (const std::size_t size : {1U, 300'000U}) {
    Text request = text_of(std::string(size, 'x'));
    const std::size_t body = request.ByteSizeLong() + 5;
    const auto refuse = [](SessionPeer& peer) {
      http2::Stream* const first = peer.next_call();
      ASSERT_NE(first, nullptr);
      peer.reset(*first, ErrorCode::refused_stream);
      EXPECT_TRUE(peer.wait_for_end());
    };
    const auto serve = [body](SessionPeer& peer) {
      http2::Stream* const second = peer.next_call();
      ASSERT_NE(second, nullptr);
      EXPECT_EQ(peer.heard(*second).body.size(), body);
      peer.answer(*second, "at last");
      EXPECT_TRUE(peer.wait_for_end());
    };
    ScriptedServer server({refuse, serve});
    Channel channel("mine", server.options());

    auto call =
        ClientStub(channel, test_methods).server_streaming<Text>(serve_method, request, patient());
    request.Clear();
    const std::optional<Text> reply = call.read();

    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->value(), "at last");
    EXPECT_TRUE(call.finish().ok());
  }
}

TEST_F(BlockingRepeatTest, CancelEndsARepeatThatStillConnects) {
  std::promise<void> connecting;
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.session().send_goaway(ErrorCode::no_error, "restarting");
    peer.reset(*stream, ErrorCode::refused_stream);
  }});
  int attempts = 0;
  const std::shared_ptr<Connector> first = server.options().connector();
  Channel channel("mine", ChannelOptions().connector([&](const ConnectContext& context) {
    if (++attempts == 1) return first->connect(context);
    connecting.set_value();
    return never_connects();
  }));
  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), patient());
  const std::jthread canceller([&] {
    connecting.get_future().wait();
    call.cancel();
  });

  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
  EXPECT_EQ(attempts, 2);
}

/// Reads what was written, and does not take it.
void refuse_the_stream(SessionPeer& peer) {
  http2::Stream* const stream = peer.next_headers();
  ASSERT_NE(stream, nullptr);
  peer.reset(*stream, ErrorCode::refused_stream);
  EXPECT_EQ(peer.next_headers(), nullptr);
}

/// Leaves when the call is there, and says that it was not looked at.
void leave_first(SessionPeer& peer) {
  ASSERT_NE(peer.next_headers(), nullptr);
  peer.take_none("restarting");
  EXPECT_EQ(peer.next_headers(), nullptr);
}

/// Leaves before there is a call.
void leave_at_once(SessionPeer& peer) {
  peer.session().send_goaway(ErrorCode::no_error, "restarting");
  EXPECT_EQ(peer.next_headers(), nullptr);
}

constexpr std::string_view why_not = "requests that are streamed are not kept";

TEST_F(BlockingRepeatTest, AStreamingCallThatWroteIsNotRepeatedAndSaysSo) {
  for (const auto& script : {&refuse_the_stream, &leave_first}) {
    ScriptedServer server({script});
    Channel channel("mine", server.options());
    auto call =
        ClientStub(channel, test_methods).client_streaming<Text, Text>(collect_method, patient());

    EXPECT_TRUE(call.write(text_of("gone")));

    const Status status = call.finish().status();
    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_NE(status.message().find(why_not), std::string::npos) << status.to_string();
    EXPECT_EQ(server.connection_count(), 1U);
  }
}

TEST_F(BlockingRepeatTest, AStreamingCallIsNotRepeatedOnceItWasStarted) {
  ScriptedServer server({&leave_first});
  Channel channel("mine", server.options());
  auto call = ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());

  EXPECT_FALSE(call.read().has_value());

  const Status status = call.finish();
  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find(why_not), std::string::npos) << status.to_string();
}

TEST_F(BlockingRepeatTest, AStreamingCallIsNotStartedWhereTheServersFirstWordIsThatItGoes) {
  ScriptedServer server({&leave_at_once, answer_all("second")});
  Channel channel("mine", server.options());
  auto call =
      ClientStub(channel, test_methods).client_streaming<Text, Text>(collect_method, patient());

  EXPECT_TRUE(call.write(text_of("kept")));

  const Result<Text> reply = call.finish();
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "second");
  EXPECT_EQ(server.connection_count(), 2U);
}

/// The second connection of a channel counts as made when the server has said something.
TEST_F(BlockingRepeatTest, ACallThatConnectsToAServerThatGoesConnectsOnceMore) {
  std::promise<void> is_busy;
  const auto hold_and_leave = [&is_busy](SessionPeer& peer) {
    ASSERT_NE(peer.next_call(), nullptr);
    is_busy.set_value();
    peer.session().send_goaway(ErrorCode::no_error, "restarting");
    EXPECT_TRUE(peer.wait_for_end());
  };
  ScriptedServer server({hold_and_leave, &leave_at_once, answer_all("third")});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  auto holds_one = stub.server_streaming<Text>(serve_method, text_of("request"), patient());
  is_busy.get_future().wait();

  const Result<Text> reply = call_unary(stub);

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "third");
  EXPECT_EQ(server.connection_count(), 3U);
}

TEST_F(BlockingRepeatTest, ACallThatIsRefusedTwiceSaysNothingOfStreams) {
  ScriptedServer server({[](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call())
      peer.reset(*stream, ErrorCode::refused_stream);
  }});
  Channel channel("mine", server.options());

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status, Status(StatusCode::unavailable, "the server did not take the call"));
}

// ---- awaited ------------------------------------------------------------------------------------

class AwaitedRepeatTest : public LogCheckedTest {};

Task<Result<Text>> await_repeated_unary(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), patient());
  co_return co_await call;
}

TEST_F(AwaitedRepeatTest, ACallThatIsRefusedOnceIsRepeated) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const first = peer.next_call();
    ASSERT_NE(first, nullptr);
    peer.reset(*first, ErrorCode::refused_stream);
    EXPECT_TRUE(peer.answer_all("at last"));
  }});
  Channel channel("mine", server.options());

  const Result<Text> reply = sync_wait(await_repeated_unary(ClientStub(channel, test_methods)));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "at last");
}

TEST_F(AwaitedRepeatTest, ACallThatGoawayShutOutIsRepeatedOnANewConnection) {
  const auto refuse = [](SessionPeer& peer) {
    peer.session().send_goaway(ErrorCode::no_error, "restarting");
    peer.wait_for_end();
  };
  const auto serve = [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("second")); };
  ScriptedServer server({refuse, serve});
  Channel channel("mine", server.options());

  const Result<Text> reply = sync_wait(await_repeated_unary(ClientStub(channel, test_methods)));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "second");
}

TEST_F(AwaitedRepeatTest, ACallThatIsRefusedTwiceIsUnavailable) {
  ScriptedServer server({[](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call())
      peer.reset(*stream, ErrorCode::refused_stream);
  }});
  Channel channel("mine", server.options());

  const Result<Text> reply = sync_wait(await_repeated_unary(ClientStub(channel, test_methods)));

  EXPECT_EQ(reply.status().code(), StatusCode::unavailable);
}

Task<Status> serve(const ClientStub& stub, Text request) {
  auto call = stub.server_streaming_async<Text>(serve_method, request, patient());
  request.Clear();
  const std::optional<Text> reply = co_await call.read();
  EXPECT_EQ(reply.has_value() ? reply->value() : "", "at last");
  const Status status = co_await call.finish();
  co_return status;
}

TEST_F(AwaitedRepeatTest, ARequestIsKeptForTheRepeatWhateverItsSize) {
  for (const std::size_t size : {0U, 10U, 185U, 186U, 187U, 2'000U, 3'000U, 300'000U}) {
    const Text request = text_of(std::string(size, 'x'));
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const first = peer.next_call();
      ASSERT_NE(first, nullptr);
      EXPECT_EQ(peer.heard(*first).body.size(), request.ByteSizeLong() + 5);
      peer.reset(*first, ErrorCode::refused_stream);
      http2::Stream* const second = peer.next_call();
      ASSERT_NE(second, nullptr);
      EXPECT_EQ(peer.heard(*second).body.size(), request.ByteSizeLong() + 5);
      peer.answer(*second, "at last");
      EXPECT_TRUE(peer.wait_for_end());
    }});
    Channel channel("mine", server.options());

    const Status status = sync_wait(serve(ClientStub(channel, test_methods), request));

    EXPECT_TRUE(status.ok()) << size << ": " << status.to_string();
  }
}

Task<Status> wait_then_chat(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  EXPECT_TRUE(call.writes_done());
  const std::optional<Text> reply = co_await call.read();
  EXPECT_EQ(reply.has_value() ? reply->value() : "", "at last");
  const Status status = co_await call.finish();
  co_return status;
}

TEST_F(AwaitedRepeatTest, AStreamingCallThatWroteNothingIsRepeatedAndHalfClosedAgain) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const first = peer.next_call();
    ASSERT_NE(first, nullptr);
    peer.reset(*first, ErrorCode::refused_stream);
    EXPECT_TRUE(peer.answer_all("at last"));
  }});
  Channel channel("mine", server.options());

  const Status status = sync_wait(wait_then_chat(ClientStub(channel, test_methods)));

  EXPECT_TRUE(status.ok()) << status.to_string();
}

Task<Status> write_and_finish(const ClientStub& stub) {
  auto call = stub.client_streaming_async<Text, Text>(collect_method, patient());
  const Text request = text_of("gone with the first attempt");
  const bool taken = co_await call.write(request);
  EXPECT_TRUE(taken);
  const Result<Text> reply = co_await call.finish();
  co_return reply.status();
}

TEST_F(AwaitedRepeatTest, AStreamingCallThatWroteIsNotRepeatedAndSaysSo) {
  for (const auto& script : {&refuse_the_stream, &leave_first}) {
    ScriptedServer server({script});
    Channel channel("mine", server.options());

    const Status status = sync_wait(write_and_finish(ClientStub(channel, test_methods)));

    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_NE(status.message().find(why_not), std::string::npos) << status.to_string();
    EXPECT_EQ(server.connection_count(), 1U);
  }
}

TEST_F(AwaitedRepeatTest, AStreamingCallIsNotOpenedWhereTheServersFirstWordIsThatItGoes) {
  ScriptedServer server({&leave_at_once, answer_all("second")});
  Channel channel("mine", server.options());

  const Status status = sync_wait(write_and_finish(ClientStub(channel, test_methods)));

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 2U);
}

}  // namespace
}  // namespace nearcall::test
