// SPDX-License-Identifier: Apache-2.0
// How calls end whose replies nobody reads, that have too many of them, or that end without a word;
// in both forms.
#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/thread_pool.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <stop_token>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

/// What a client does with a server-streaming call: one reply is read, then it is finished.
Status read_one_and_finish(const ClientStub& stub) {
  auto call = stub.server_streaming<Text>(serve_method, text_of("a"), patient());
  EXPECT_TRUE(call.read().has_value());
  return call.finish();
}

Task<Status> read_one_and_finish_awaited(const ClientStub& stub) {
  auto call = stub.server_streaming_async<Text>(serve_method, text_of("a"), patient());
  const std::optional<Text> first = co_await call.read();
  EXPECT_TRUE(first.has_value());
  co_return co_await call.finish();
}

Status chat_and_finish(const ClientStub& stub) {
  auto call = stub.bidi_streaming<Text, Text>(chat_method, patient());
  return call.finish();
}

Task<Status> chat_and_finish_awaited(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  co_return co_await call.finish();
}

Status collect(const ClientStub& stub) {
  auto call = stub.client_streaming<Text, Text>(collect_method, patient());
  return call.finish().status();
}

Task<Status> collect_awaited(const ClientStub& stub) {
  auto call = stub.client_streaming_async<Text, Text>(collect_method, patient());
  const Result<Text> reply = co_await call.finish();
  co_return reply.status();
}

class CallEndTest : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  Status run(const ScriptedServer::Script& script,
             Status (*blocking)(const ClientStub&),
             Task<Status> (*awaited)(const ClientStub&)) {
    ScriptedServer server({script});
    const Channel channel("mine", server.options());
    const ClientStub stub(channel, test_methods);
    return GetParam() == CallForm::blocking ? blocking(stub) : sync_wait(awaited(stub));
  }
};

void answer_with_many_windows(SessionPeer& peer) {
  http2::Stream* const stream = peer.next_headers();
  ASSERT_NE(stream, nullptr);
  peer.begin(*stream);
  for (int i = 0; i < 40'000; ++i)
    peer.message(*stream, std::string(100, 'x'));
  peer.end(*stream);
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_P(CallEndTest, FinishDropsWhatNobodyReadHoweverMuchItIs) {
  EXPECT_TRUE(
      run(&answer_with_many_windows, &read_one_and_finish, &read_one_and_finish_awaited).ok());
}

TEST_P(CallEndTest, FinishOfABidirectionalCallDropsItToo) {
  EXPECT_TRUE(run(&answer_with_many_windows, &chat_and_finish, &chat_and_finish_awaited).ok());
}

/// DATA with END_STREAM, and no trailers.
void end_without_a_word(SessionPeer& peer) {
  http2::Stream* const stream = peer.next_call();
  ASSERT_NE(stream, nullptr);
  peer.begin(*stream);
  peer.message(*stream, "one");
  for (int i = 0; i < 20'000; ++i)
    peer.message(*stream, std::string(100, 'x'));
  peer.bytes(*stream, "", /*end_stream=*/true);
  EXPECT_TRUE(peer.wait_for_end());
}

TEST_P(CallEndTest, AStreamThatEndsWithoutAWordEndsACallWhoseRepliesAreDropped) {
  const Status status =
      run(&end_without_a_word, &read_one_and_finish, &read_one_and_finish_awaited);

  EXPECT_EQ(status.code(), StatusCode::unknown);
  EXPECT_NE(status.message().find("without a grpc-status"), std::string::npos)
      << status.to_string();
}

TEST_P(CallEndTest, OneReplyIsOneReply) {
  const auto script = [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); };

  EXPECT_TRUE(run(script, &collect, &collect_awaited).ok());
}

TEST_P(CallEndTest, TwoRepliesWhereOneIsDueAreUnimplemented) {
  const auto script = [](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    peer.message(*stream, "first");
    peer.message(*stream, "second");
    peer.end(*stream);
    EXPECT_TRUE(peer.wait_for_end());
  };

  const Status status = run(script, &collect, &collect_awaited);

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
  EXPECT_EQ(status.message(), "the server sent more than one reply message");
}

TEST_P(CallEndTest, NoReplyWhereOneIsDueIsUnimplemented) {
  const auto script = [](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.begin(*stream);
    peer.end(*stream);
    EXPECT_TRUE(peer.wait_for_end());
  };

  const Status status = run(script, &collect, &collect_awaited);

  EXPECT_EQ(status.code(), StatusCode::unimplemented);
  EXPECT_EQ(status.message(), "the server sent no reply message");
}

INSTANTIATE_TEST_SUITE_P(Forms,
                         CallEndTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         [](const auto& of) {
                           return of.param == CallForm::blocking ? "Blocking" : "Awaited";
                         });

// ---- who ends them, and where -------------------------------------------------------------------

class CallThreadsTest : public LogCheckedTest {
 protected:
  ScriptedServer server_{{[](SessionPeer& peer) { peer.answer_all("reply"); }}};
  const Channel channel_{"mine", server_.options()};
  const ClientStub stub_{channel_, test_methods};
};

TEST_F(CallThreadsTest, AUnaryCallThatGivesItsPeerMayBeCancelledWhileItsReplyComes) {
  for (int i = 0; i < 200; ++i) {
    std::stop_source stop;
    const std::jthread canceller([&stop] { stop.request_stop(); });
    CallInfo info;

    const Result<Text> reply = stub_.unary<Text>(unary_method, text_of("a"),
                                                 patient().cancellation(stop.get_token()), &info);

    EXPECT_TRUE(reply.ok() || reply.status().code() == StatusCode::cancelled)
        << reply.status().to_string();
  }
}

/// Ends with its frame, and so both calls, on a thread of the pool.
Task<void> end_elsewhere(const ClientStub& stub, ThreadPool& pool) {
  auto first = stub.unary_async<Text>(unary_method, text_of("a"), patient());
  auto second = stub.unary_async<Text>(unary_method, text_of("b"), patient());
  const Result<Text> a = co_await first;
  const Result<Text> b = co_await second;
  EXPECT_TRUE(a.ok() && b.ok());
  co_await resume_on(pool);
}

Task<void> end_many_elsewhere(const ClientStub& stub, ThreadPool& pool) {
  for (int i = 0; i < 100; ++i) {
    JoinHandle<> other = spawn(end_elsewhere(stub, pool));
    auto here = stub.unary_async<Text>(unary_method, text_of("c"), patient());
    const Result<Text> reply = co_await here;
    EXPECT_TRUE(reply.ok());
    const Result<void> ended = co_await other.join();
    EXPECT_TRUE(ended.ok());
  }
}

TEST_F(CallThreadsTest, CallsThatAreOverMayBeDroppedOnAnyThread) {
  ThreadPool pool(2);

  sync_wait(end_many_elsewhere(stub_, pool));
}

TEST_F(CallThreadsTest, ACallThatWasOverBeforeItBeganMayBeCancelledFromAnyThread) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  const std::jthread other([&loop](const std::stop_token& stop) {
    while (!stop.stop_requested())
      loop.post([] {});
  });
  for (int i = 0; i < 200; ++i) {
    auto call = stub_.unary_async<Text>(unary_method, text_of("a"), CallOptions().timeout(0s));
    ASSERT_TRUE(call.is_done());
    std::thread([&call] { call.cancel(); }).join();
  }
  loop.poll();
}

TEST_F(CallThreadsTest, ACallThatOutlivesItsLoopMayStillBeCancelled) {
  std::optional<AsyncUnaryCall<Text>> call;
  {
    EventLoop loop;
    const EventLoop::Binding binding(loop);
    call.emplace(stub_.unary_async<Text>(unary_method, text_of("a"), CallOptions().timeout(0s)));
  }

  std::thread([&call] { call->cancel(); }).join();

  EXPECT_EQ(call->status().code(), StatusCode::deadline_exceeded);
}

}  // namespace
}  // namespace nearcall::test
