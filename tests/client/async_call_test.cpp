// SPDX-License-Identifier: Apache-2.0
// How an awaited call ends, whatever the server does, and what dropping it does.
#include "client/async_call.hpp"

#include "client/script_methods.hpp"
#include "support/enough_time.hpp"
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

class AsyncCallTest : public LogCheckedTest {};

/// The outcome of an awaited unary call that the server treats as `script` says.
Result<Text> outcome_of(const std::function<void(SessionPeer&, http2::Stream&)>& script,
                        const CallOptions& options = patient()) {
  ScriptedServer server({[&script](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    script(peer, *stream);
    peer.flush();
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  return sync_wait(await_unary(stub, options));
}

TEST_F(AsyncCallTest, YieldsTheReply) {
  const Result<Text> reply =
      outcome_of([](SessionPeer& peer, http2::Stream& stream) { peer.answer(stream, "reply"); });

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "reply");
}

TEST_F(AsyncCallTest, OkWithoutAReplyIsUnimplemented) {
  const Result<Text> reply = outcome_of([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.end(stream);
  });

  EXPECT_EQ(reply.status().code(), StatusCode::unimplemented);
}

TEST_F(AsyncCallTest, TwoRepliesAreUnimplemented) {
  const Result<Text> reply = outcome_of([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.message(stream, "one");
    peer.message(stream, "two");
    peer.end(stream);
  });

  EXPECT_EQ(reply.status().code(), StatusCode::unimplemented);
}

TEST_F(AsyncCallTest, AnEndWithoutGrpcStatusIsUnknown) {
  const Result<Text> reply = outcome_of([](SessionPeer& peer, http2::Stream& stream) {
    peer.begin(stream);
    peer.message(stream, "reply");
    peer.session().end_stream(stream);
  });

  EXPECT_EQ(reply.status().code(), StatusCode::unknown);
}

TEST_F(AsyncCallTest, ADeadlineEndsTheCallAndTellsTheServer) {
  with_enough_time([](std::chrono::milliseconds timeout) {
    return has_told_of_deadline([timeout](const Channel& channel) {
      const ClientStub stub(channel, test_methods);
      return sync_wait(await_unary(stub, CallOptions().timeout(timeout))).status();
    });
  });
}

TEST_F(AsyncCallTest, AStopRequestFromAnotherThreadEndsTheCallAndTellsTheServer) {
  std::stop_source stop;
  const Result<Text> reply = outcome_of(
      [&stop](SessionPeer& peer, http2::Stream& stream) {
        stop.request_stop();
        EXPECT_EQ(peer.wait_for_reset(stream), ErrorCode::cancel);
      },
      patient().cancellation(stop.get_token()));

  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
}

TEST_F(AsyncCallTest, AServerThatClosesInTheMiddleIsUnavailable) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
  }});
  Channel channel("mine", server.options());

  const Result<Text> reply = sync_wait(await_unary(ClientStub(channel, test_methods)));

  EXPECT_EQ(reply.status().code(), StatusCode::unavailable);
}

TEST_F(AsyncCallTest, WithoutALoopOnItsThreadACallFailsAtOnceAndSaysWhy) {
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  auto call = ClientStub(channel, test_methods)
                  .unary_async<Text>(unary_method, text_of("request"), patient());

  ASSERT_TRUE(call.is_done());
  EXPECT_EQ(call.status().code(), StatusCode::failed_precondition);
  EXPECT_NE(call.status().message().find("EventLoop"), std::string::npos);
  call.cancel();
  EXPECT_EQ(server.connection_count(), 0U);
}

Task<Status> call_with_large_metadata(const ClientStub& stub) {
  auto first = stub.unary_async<Text>(unary_method, text_of("request"), patient());
  const Result<Text> warm = co_await first;  // the server's SETTINGS come with it
  EXPECT_TRUE(warm.ok()) << warm.status().to_string();
  CallOptions options = patient().metadata("key", std::string(20'000, 'x'));
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), options);
  const Result<Text> reply = co_await call;
  co_return reply.status();
}

TEST_F(AsyncCallTest, MetadataBeyondWhatTheServerTakesFailsTheCallAndSendsNothing) {
  ScriptedServer server({[](SessionPeer& peer) {
    EXPECT_TRUE(peer.answer_all("reply"));
    EXPECT_EQ(peer.session().stats().requests_refused, 0U);
  }});
  Channel channel("mine", server.options());

  const Status status = sync_wait(call_with_large_metadata(ClientStub(channel, test_methods)));

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted) << status.to_string();
  EXPECT_NE(status.message().find("16384"), std::string::npos) << status.to_string();
}

Task<Status> call_after_its_deadline(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), CallOptions().timeout(0s));
  EXPECT_TRUE(call.is_done());
  const Result<Text> reply = co_await call;
  co_return reply.status();
}

TEST_F(AsyncCallTest, ADeadlineThatHasPassedSendsNothing) {
  ScriptedServer server({[](SessionPeer&) {}});
  Channel channel("mine", server.options());

  const Status status = sync_wait(call_after_its_deadline(ClientStub(channel, test_methods)));

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(server.connection_count(), 0U);
}

Task<void> start_read_and_drop(const ClientStub& stub, std::promise<void>& dropped) {
  {
    auto call = stub.server_streaming_async<Text>(serve_method, text_of("request"), patient());
    const std::optional<Text> reply = co_await call.read();
    EXPECT_TRUE(reply.has_value());
  }
  // Still on the loop: the reset leaves with the turn, before the loop goes.
  co_await sleep_for(1ms);
  dropped.set_value();
}

TEST_F(AsyncCallTest, DroppingACallResetsItsStream) {
  std::promise<void> dropped;
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    peer.message(*stream, "one");
    peer.flush();
    EXPECT_EQ(peer.wait_for_reset(*stream), ErrorCode::cancel);
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());

  sync_wait(start_read_and_drop(ClientStub(channel, test_methods), dropped));

  EXPECT_EQ(dropped.get_future().wait_for(0s), std::future_status::ready);
}

Task<void> drop_before_it_is_connected(const ClientStub& stub) {
  { auto call = stub.unary_async<Text>(unary_method, text_of("gone"), patient()); }
  auto call = stub.unary_async<Text>(unary_method, text_of("stays"), patient());
  const Result<Text> reply = co_await call;
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(AsyncCallTest, ACallMayBeDroppedBeforeItIsSent) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  Channel channel("mine", server.options());

  sync_wait(drop_before_it_is_connected(ClientStub(channel, test_methods)));
}

Task<void> cancel_here(const ClientStub& stub) {
  auto call = stub.server_streaming_async<Text>(serve_method, text_of("request"), patient());
  const Metadata& headers = co_await call.headers();
  EXPECT_EQ(headers.get("color"), "blue");
  call.cancel();
  call.cancel();
  const std::optional<Text> reply = co_await call.read();
  EXPECT_EQ(reply, std::nullopt);
  const Status status = co_await call.finish();
  EXPECT_EQ(status.code(), StatusCode::cancelled);
}

TEST_F(AsyncCallTest, HeadersComeBeforeMessagesAndCancelEndsReads) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.headers(*stream,
                 {{":status", "200"}, {"content-type", "application/grpc"}, {"color", "blue"}});
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());

  sync_wait(cancel_here(ClientStub(channel, test_methods)));
}

Task<void> chat(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  for (int i = 0; i < 3; ++i) {
    const Text request = text_of("message");
    const bool taken = co_await call.write(request);
    EXPECT_TRUE(taken);
  }
  EXPECT_TRUE(call.writes_done());
  Text reply;
  const bool has_reply = co_await call.read(reply);
  EXPECT_TRUE(has_reply);
  EXPECT_EQ(reply.value(), "24");
  const Status status = co_await call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(AsyncCallTest, MessagesWrittenBeforeTheConnectionIsThereAreSent) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    const std::size_t prefixes = 15;
    peer.answer(*stream, std::to_string(peer.heard(*stream).body.size() - prefixes - 3));
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());

  sync_wait(chat(ClientStub(channel, test_methods)));
}

}  // namespace
}  // namespace nearcall::test
