// SPDX-License-Identifier: Apache-2.0
// Calls with a retryPolicy (gRFC A6), blocking and awaited, against a server that fails them.
#include "client/direct_client.hpp"
#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/event_loop.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// With `backoff` between at most `attempts`.
std::string retry_config(int attempts,
                         const std::string& backoff = "0.001s",
                         const std::string& more = "") {
  return R"({"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": )" +
         std::to_string(attempts) + R"(, "initialBackoff": ")" + backoff + R"(", "maxBackoff": ")" +
         backoff + R"(", "backoffMultiplier": 1, "retryableStatusCodes": ["UNAVAILABLE"]}}])" +
         more + "}";
}

/// Ends a call as one that has not begun: Trailers-Only.
void refuse(SessionPeer& peer,
            http2::Stream& stream,
            std::string_view code = "14",
            std::string_view pushback = {}) {
  SessionPeer::Fields fields = {
      {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", code}};
  if (!pushback.empty()) fields.push_back({"grpc-retry-pushback-ms", pushback});
  peer.headers(stream, fields, /*end_stream=*/true);
}

/// What a server was told of the attempts before: "-" where nothing.
using Told = std::vector<std::string>;

void note_attempt(SessionPeer& peer, Told& told) {
  const std::string before = peer.header("grpc-previous-rpc-attempts");
  told.push_back(before.empty() ? "-" : before);
}

/// Refuses `failures` calls, and answers those that come later.
ScriptedServer::Script refuse_some(int failures,
                                   Told& told,
                                   std::string code = "14",
                                   std::string pushback = "") {
  return [=, &told](SessionPeer& peer) {
    for (int count = 0;; ++count) {
      http2::Stream* const stream = peer.next_call();
      if (stream == nullptr) return;
      note_attempt(peer, told);
      if (count < failures) {
        refuse(peer, *stream, code, pushback);
      } else {
        peer.answer(*stream, "at last");
      }
    }
  };
}

class BlockingRetryTest : public LogCheckedTest {};
class AwaitedRetryTest : public LogCheckedTest {};

/// Calls of either form.
class RetryTest : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  struct Ended {
    Status status;
    int attempts = 0;
  };

  static Ended call(const Channel& channel, const CallOptions& options = patient()) {
    const ClientStub stub(channel, test_methods);
    if (GetParam() == CallForm::awaited) return sync_wait(await_call(stub, options));
    CallInfo info;
    const Result<Text> reply = stub.unary<Text>(unary_method, text_of("request"), options, &info);
    return Ended{reply.status(), info.attempts()};
  }

 private:
  static Task<Ended> await_call(const ClientStub& stub, CallOptions options) {
    auto call = stub.unary_async<Text>(unary_method, text_of("request"), options);
    const Result<Text> reply = co_await call;
    Ended ended;
    ended.status = reply.status();
    ended.attempts = call.attempts();
    co_return ended;
  }
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         RetryTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(RetryTest, ACallThatFailsIsAttemptedAgain) {
  Told told;
  ScriptedServer server({refuse_some(2, told)});
  {
    Channel channel("mine", server.options().service_config(retry_config(4)));
    const Ended ended = call(channel);
    EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
    EXPECT_EQ(ended.attempts, 3);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-", "1", "2"));
}

TEST_P(RetryTest, ThereAreNoMoreAttemptsThanAllowed) {
  Told told;
  ScriptedServer server({refuse_some(100, told)});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    const Ended ended = call(channel);
    EXPECT_EQ(ended.status.code(), StatusCode::unavailable);
    EXPECT_EQ(ended.attempts, 3);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-", "1", "2"));
}

TEST_P(RetryTest, OtherFailuresEndTheCall) {
  Told told;
  ScriptedServer server({refuse_some(1, told, "5")});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    const Ended ended = call(channel);
    EXPECT_EQ(ended.status.code(), StatusCode::not_found);
    EXPECT_EQ(ended.attempts, 1);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-"));
}

TEST_P(RetryTest, WithoutAPolicyNothingIsAttemptedAgain) {
  Told told;
  ScriptedServer server({refuse_some(1, told)});
  {
    Channel channel("mine", server.options().service_config("{}"));
    const Ended ended = call(channel);
    EXPECT_EQ(ended.status.code(), StatusCode::unavailable);
    EXPECT_EQ(ended.attempts, 1);
  }
  server.join();
}

TEST_P(RetryTest, HeadersCommitTheCall) {
  int calls = 0;
  ScriptedServer server({[&calls](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call()) {
      ++calls;
      peer.begin(*stream);
      peer.end(*stream, "14");
    }
  }});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    EXPECT_EQ(call(channel).status.code(), StatusCode::unavailable);
  }
  server.join();
  EXPECT_EQ(calls, 1);
}

TEST_P(RetryTest, TheServerNamesThePause) {
  Told told;
  ScriptedServer server({refuse_some(2, told, "14", "1")});
  Channel channel("mine", server.options().service_config(retry_config(3, "3600s")));
  const Ended ended = call(channel);
  EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
  EXPECT_EQ(ended.attempts, 3);
}

TEST_P(RetryTest, TheServerSaysNever) {
  for (const char* const pushback : {"-1", "soon"}) {
    Told told;
    ScriptedServer server({refuse_some(1, told, "14", pushback)});
    Channel channel("mine", server.options().service_config(retry_config(3)));
    const Ended ended = call(channel);
    EXPECT_EQ(ended.status.code(), StatusCode::unavailable) << pushback;
    EXPECT_EQ(ended.status.trailers().get("grpc-retry-pushback-ms"), pushback);
    EXPECT_EQ(ended.attempts, 1);
  }
}

TEST_P(RetryTest, TheDeadlineIsThatOfAllAttempts) {
  Told told;
  ScriptedServer server({refuse_some(100, told)});
  Channel channel("mine", server.options().service_config(retry_config(3, "3600s")));
  const Ended ended = call(channel, CallOptions().timeout(50ms));
  EXPECT_EQ(ended.status.code(), StatusCode::deadline_exceeded);
}

TEST_P(RetryTest, CancelEndsAPause) {
  std::stop_source stop;
  ScriptedServer server({[&stop](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    refuse(peer, *stream);
    EXPECT_TRUE(peer.flush());
    stop.request_stop();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(retry_config(3, "3600s")));
  const Ended ended = call(channel, CallOptions().cancellation(stop.get_token()));
  EXPECT_EQ(ended.status.code(), StatusCode::cancelled);
}

TEST_P(RetryTest, FailuresOfAllCallsStopRetries) {
  Told told;
  ScriptedServer server({refuse_some(100, told)});
  {
    Channel channel("mine",
                    server.options().service_config(retry_config(
                        5, "0.001s", R"(, "retryThrottling": {"maxTokens": 4, "tokenRatio": 1})")));
    EXPECT_EQ(call(channel).attempts, 2) << "2 of 4 tokens are left";
    EXPECT_EQ(call(channel).attempts, 1);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-", "1", "-"));
}

TEST_P(RetryTest, ACallWhoseConnectionGoesIsAttemptedOnAnother) {
  Told told;
  const auto leave = [&told](SessionPeer& peer) {
    EXPECT_NE(peer.next_call(), nullptr);
    note_attempt(peer, told);
  };
  ScriptedServer server({leave, leave, refuse_some(0, told)});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    const Ended ended = call(channel);
    EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-", "1", "2"));
}

TEST_P(RetryTest, ACallThatCannotConnectIsAttemptedAgain) {
  Told told;
  ScriptedServer server({refuse_some(0, told)});
  int connects = 0;
  const std::shared_ptr<Connector> there = server.options().connector();
  {
    Channel channel(
        "mine",
        ChannelOptions()
            .service_config(retry_config(3))
            .connector([&](ConnectContext context) -> Task<Result<std::unique_ptr<Transport>>> {
              if (++connects == 3) return there->connect(std::move(context));
              return []() -> Task<Result<std::unique_ptr<Transport>>> {
                co_return Status::unavailable("nobody is here yet");
              }();
            }));
    const Ended ended = call(channel);
    EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
    EXPECT_EQ(ended.attempts, 3);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("2"));
}

/// A6: what the server did not process is repeated at once, and counts nowhere; the second time the
/// policy decides.
TEST_P(RetryTest, WhatTheServerDidNotTakeIsRepeatedOnceBeforeThePolicyDecides) {
  Told told;
  const auto reset_all_but_last = [&told](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call()) {
      note_attempt(peer, told);
      if (told.size() < 4) {
        peer.reset(*stream, http2::ErrorCode::refused_stream);
      } else {
        peer.answer(*stream, "at last");
      }
    }
  };
  ScriptedServer server({reset_all_but_last});
  {
    Channel channel("mine", server.options().max_connections(1).service_config(retry_config(3)));
    const Ended ended = call(channel);
    EXPECT_TRUE(ended.status.ok()) << ended.status.to_string();
    EXPECT_EQ(ended.attempts, 3);
  }
  server.join();
  EXPECT_THAT(told, ElementsAre("-", "-", "1", "2"));
}

TEST_P(RetryTest, ARequestThatIsMoreThanMayBeKeptIsSentOnce) {
  Told told;
  ScriptedServer server({refuse_some(1, told)});
  Channel channel("mine",
                  server.options().max_call_retry_buffer(10).service_config(retry_config(3)));
  EXPECT_EQ(call(channel).attempts, 1);
}

TEST_P(RetryTest, AllCallsOfAChannelKeepNoMoreThanTheyMay) {
  Told told;
  ScriptedServer server({refuse_some(1, told)});
  Channel channel("mine", server.options().max_retry_buffer(10).service_config(retry_config(3)));
  EXPECT_EQ(call(channel).attempts, 1);
}

// ---- streams ------------------------------------------------------------------------------------

/// Hears `before` messages of a call, refuses it, and answers the next one with all that came.
ScriptedServer::Script refuse_after(std::size_t before, std::string& body) {
  return [before, &body](SessionPeer& peer) {
    http2::Stream* const first = peer.next_headers();
    ASSERT_NE(first, nullptr);
    while (peer.heard(*first).body.size() < before)
      ASSERT_TRUE(peer.ping());
    refuse(peer, *first);
    http2::Stream* const second = peer.next_call();
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(peer.header("grpc-previous-rpc-attempts"), "1");
    body = peer.heard(*second).body;
    peer.answer(*second, "at last");
    EXPECT_TRUE(peer.wait_for_end());
  };
}

/// Of as many one-byte messages.
std::string framed(std::string_view bytes) {
  std::string all;
  for (const char c : bytes)
    all += std::string("\0\0\0\0\3\n\1", 7) + c;
  return all;
}

TEST_F(BlockingRetryTest, AServerStreamingCallIsAttemptedAgainByItsReader) {
  Told told;
  ScriptedServer server({refuse_some(2, told)});
  Channel channel("mine", server.options().service_config(retry_config(3)));
  auto call = ClientStub(channel, test_methods)
                  .server_streaming<Text>(serve_method, text_of("request"), patient());
  const std::optional<Text> reply = call.read();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->value(), "at last");
  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(call.attempts(), 3);
}

TEST_F(BlockingRetryTest, RequestsThatWereStreamedAreSentAgain) {
  std::string body;
  ScriptedServer server({refuse_after(16, body)});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    auto call =
        ClientStub(channel, test_methods).client_streaming<Text, Text>(collect_method, patient());
    for (const char* const text : {"a", "b", "c", "d"})
      EXPECT_TRUE(call.write(text_of(text)));
    const Result<Text> reply = call.finish();
    ASSERT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_EQ(call.attempts(), 2);
  }
  server.join();
  EXPECT_EQ(body, framed("abcd"));
}

TEST_F(BlockingRetryTest, AWriterGoesOnWithTheNextAttempt) {
  std::string body;
  ScriptedServer server({refuse_after(8, body)});
  {
    Channel channel("mine", server.options().service_config(retry_config(3, "0.02s")));
    auto call =
        ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient());
    EXPECT_TRUE(call.write(text_of("a")));
    std::thread writer([&call] {
      for (const char* const text : {"b", "c", "d"})
        EXPECT_TRUE(call.write(text_of(text)));
      EXPECT_TRUE(call.writes_done());
    });
    const std::optional<Text> reply = call.read();
    EXPECT_TRUE(reply.has_value());
    writer.join();
    const Status status = call.finish();
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  server.join();
  EXPECT_EQ(body, framed("abcd"));
}

TEST_F(BlockingRetryTest, MoreThanMayBeKeptIsSentOnce) {
  std::string body;
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    ASSERT_NE(stream, nullptr);
    while (peer.heard(*stream).body.size() < 24)
      ASSERT_TRUE(peer.ping());
    refuse(peer, *stream);
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine",
                  server.options().max_call_retry_buffer(16).service_config(retry_config(3)));
  auto call =
      ClientStub(channel, test_methods).client_streaming<Text, Text>(collect_method, patient());
  for (const char* const text : {"a", "b", "c"})
    EXPECT_TRUE(call.write(text_of(text)));
  EXPECT_EQ(call.finish().status().code(), StatusCode::unavailable);
  EXPECT_EQ(call.attempts(), 1);
}

TEST_F(BlockingRetryTest, ASignalHandlerEndsAPause) {
  Canceller canceller;
  ScriptedServer server({[&canceller](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    refuse(peer, *stream);
    EXPECT_TRUE(peer.flush());
    canceller.cancel();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().service_config(retry_config(3, "3600s")));
  EXPECT_EQ(
      call_unary(ClientStub(channel, test_methods), CallOptions().cancellation(canceller.token()))
          .status()
          .code(),
      StatusCode::cancelled);
}

/// One thread writes, another one reads, and the call fails under both, on connections that live
/// and that die.
TEST_F(BlockingRetryTest, TwoThreadsOfACallChangeItsConnectionTogether) {
  constexpr int rounds = 30;
  constexpr int messages = 20;
  for (int round = 0; round < rounds; ++round) {
    std::string body;
    const auto fail = [round](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_headers();
      ASSERT_NE(stream, nullptr);
      while (peer.heard(*stream).body.size() < static_cast<std::size_t>(round % 5) * 8)
        ASSERT_TRUE(peer.ping());
      if (round % 2 == 0) return;  // and the connection with it
      refuse(peer, *stream);
      EXPECT_TRUE(peer.flush());
    };
    const auto serve = [&body](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      ASSERT_NE(stream, nullptr);
      body = peer.heard(*stream).body;
      peer.answer(*stream, "at last");
      EXPECT_TRUE(peer.wait_for_end());
    };
    ScriptedServer server({fail, fail, serve});
    {
      Channel channel("mine", server.options().service_config(retry_config(5)));
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
    EXPECT_EQ(body, framed(std::string(messages, 'x')));
  }
}

TEST_F(BlockingRetryTest, CancelEndsAPauseThatTwoThreadsWaitFor) {
  constexpr int rounds = 20;
  for (int round = 0; round < rounds; ++round) {
    std::promise<void> refused;
    ScriptedServer server({[&refused](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_headers();
      ASSERT_NE(stream, nullptr);
      refuse(peer, *stream);
      EXPECT_TRUE(peer.flush());
      refused.set_value();
      EXPECT_TRUE(peer.wait_for_end());
    }});
    Channel channel("mine", server.options().service_config(retry_config(5, "3600s")));
    auto call = std::make_unique<BidiStreamingCall<Text, Text>>(
        ClientStub(channel, test_methods).bidi_streaming<Text, Text>(chat_method, patient()));
    std::thread writer([&call] {
      while (call->write(text_of("x"))) {
      }
    });
    std::thread canceller([&call, &refused] {
      refused.get_future().wait();
      call->cancel();
    });
    EXPECT_FALSE(call->read().has_value());
    writer.join();
    canceller.join();
    EXPECT_EQ(call->finish().code(), StatusCode::cancelled);
    call.reset();
  }
}

/// They would meet at a server that just came back.
TEST_F(AwaitedRetryTest, CallsThatFailTogetherAreNotRetriedTogether) {
  detail::RetryRules rules;
  rules.max_attempts = 2;
  rules.initial_backoff = rules.max_backoff = 1h;
  rules.backoff_multiplier = 1;
  rules.retryable.add(StatusCode::unavailable);
  detail::MethodConfig config;
  config.retry = rules;
  detail::ChannelRetries retries(*detail::ServiceConfig::parse("{}"), 1000, 1000);
  DirectClient direct;
  direct.set_config(config, retries);
  const detail::Clock stopped([](const void*) noexcept { return detail::TimePoint(1h); }, nullptr);
  std::set<detail::TimePoint> times;
  std::vector<std::unique_ptr<DirectCall>> calls;
  for (int i = 0; i < 10; ++i) {
    calls.push_back(std::make_unique<DirectCall>(direct, CallOptions(), stopped));
    calls.back()->call.on_unsent(Status::unavailable("it has gone"));
    EXPECT_FALSE(calls.back()->repeat_at.has_value()) << "the first time it is opened elsewhere";
    calls.back()->call.on_unsent(Status::unavailable("it has gone"));
    ASSERT_TRUE(calls.back()->repeat_at.has_value());
    times.insert(*calls.back()->repeat_at);
  }
  EXPECT_GT(times.size(), 5U);
}

TEST_F(AwaitedRetryTest, RequestsThatWereStreamedAreSentAgain) {
  std::string body;
  ScriptedServer server({refuse_after(16, body)});
  {
    Channel channel("mine", server.options().service_config(retry_config(3)));
    const ClientStub stub(channel, test_methods);
    sync_wait([](const ClientStub& on) -> Task<> {
      auto call = on.bidi_streaming_async<Text, Text>(chat_method, patient());
      for (const char* const text : {"a", "b", "c", "d"}) {
        const Text message = text_of(text);
        const bool is_taken = co_await call.write(message);
        EXPECT_TRUE(is_taken);
      }
      call.writes_done();
      const std::optional<Text> reply = co_await call.read();
      EXPECT_TRUE(reply.has_value());
      const Status status = co_await call.finish();
      EXPECT_TRUE(status.ok()) << status.to_string();
      EXPECT_EQ(call.attempts(), 2);
    }(stub));
  }
  server.join();
  EXPECT_EQ(body, framed("abcd"));
}

TEST_F(AwaitedRetryTest, ACallThatPausesEndsWithItsLoop) {
  Told told;
  ScriptedServer server({refuse_some(100, told)});
  Channel channel("mine", server.options().service_config(retry_config(3, "3600s")));
  const ClientStub stub(channel, test_methods);
  auto loop = std::make_unique<EventLoop>();
  std::optional<AsyncUnaryCall<Text>> call;
  loop->post([&] {
    call.emplace(stub.unary_async<Text>(unary_method, text_of("request"), CallOptions()));
  });
  while (!call || call->attempts() < 2)
    loop->poll();
  loop.reset();
  EXPECT_TRUE(call->is_done());
  EXPECT_EQ(call->status().code(), StatusCode::cancelled);
}

}  // namespace
}  // namespace nearcall::test
