// SPDX-License-Identifier: Apache-2.0
// Calls that wait for their server, in both forms: what they outlast, and what ends the wait.
#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/enough_time.hpp"
#include "support/log_capture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Connected = Result<std::unique_ptr<Transport>>;

CallOptions waiting() {
  return patient().wait_for_ready();
}

// ---- one call of each kind, which ends with OK only if the server has answered it ---------------

Status serve(const ClientStub& stub) {
  auto call = stub.server_streaming<Text>(serve_method, text_of("a"), waiting());
  EXPECT_TRUE(call.read().has_value());
  return call.finish();
}

Task<Status> serve_awaited(const ClientStub& stub) {
  auto call = stub.server_streaming_async<Text>(serve_method, text_of("a"), waiting());
  const std::optional<Text> first = co_await call.read();
  EXPECT_TRUE(first.has_value());
  co_return co_await call.finish();
}

Status collect_one(const ClientStub& stub) {
  auto call = stub.client_streaming<Text, Text>(collect_method, waiting());
  EXPECT_TRUE(call.write(text_of("a")));
  return call.finish().status();
}

Task<Status> collect_one_awaited(const ClientStub& stub) {
  auto call = stub.client_streaming_async<Text, Text>(collect_method, waiting());
  const Text request = text_of("a");
  const bool is_taken = co_await call.write(request);
  EXPECT_TRUE(is_taken);
  const Result<Text> reply = co_await call.finish();
  co_return reply.status();
}

Status chat_once(const ClientStub& stub) {
  auto call = stub.bidi_streaming<Text, Text>(chat_method, waiting());
  EXPECT_TRUE(call.write(text_of("a")));
  call.writes_done();
  EXPECT_TRUE(call.read().has_value());
  return call.finish();
}

Task<Status> chat_once_awaited(const ClientStub& stub) {
  auto call = stub.bidi_streaming_async<Text, Text>(chat_method, waiting());
  const Text request = text_of("a");
  const bool is_taken = co_await call.write(request);
  EXPECT_TRUE(is_taken);
  call.writes_done();
  const std::optional<Text> reply = co_await call.read();
  EXPECT_TRUE(reply.has_value());
  co_return co_await call.finish();
}

class WaitForReady : public LogCheckedTest, public testing::WithParamInterface<CallForm> {
 protected:
  /// The first attempts end so.
  Channel channel(int failures, Status failure) {
    return Channel("mine",
                   ChannelOptions().connector([this, failures, failure](const ConnectContext&) {
                     return connect(*this, failures, failure);
                   }));
  }
  Channel channel(int failures) { return channel(failures, nobody()); }
  static Status nobody() {
    return Status(StatusCode::unavailable, "nobody listens").with_reason(StatusReason::no_server);
  }
  Status unary(const Channel& channel, const CallOptions& options = waiting()) {
    const ClientStub stub(channel, test_methods);
    if (GetParam() == CallForm::blocking) return call_unary(stub, options).status();
    return sync_wait(await_unary(stub, options)).status();
  }
  Status run(const Channel& channel,
             Status (*blocking)(const ClientStub&),
             Task<Status> (*awaited)(const ClientStub&)) {
    const ClientStub stub(channel, test_methods);
    return GetParam() == CallForm::blocking ? blocking(stub) : sync_wait(awaited(stub));
  }

  ScriptedServer server_{{[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }}};
  std::atomic<int> attempts_{0};

 private:
  static Task<Connected> connect(WaitForReady& test, int failures, Status failure) {
    if (++test.attempts_ <= failures) co_return failure;
    co_return test.server_.accept();
  }
};

INSTANTIATE_TEST_SUITE_P(Each,
                         WaitForReady,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(WaitForReady, ACallOutlastsAttemptsThatFail) {
  const Status status = unary(channel(4));

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(attempts_, 5);
}

TEST_P(WaitForReady, CallsOfEachKindDo) {
  for (const Status& status : {run(channel(2), &serve, &serve_awaited),
                               run(channel(4), &collect_one, &collect_one_awaited),
                               run(channel(6), &chat_once, &chat_once_awaited)}) {
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
}

TEST_P(WaitForReady, WithoutItTheFirstFailureEndsACall) {
  const Status status = unary(channel(1), patient());

  EXPECT_EQ(status.reason(), StatusReason::no_server);
  EXPECT_EQ(attempts_, 1);
  EXPECT_EQ(CallOptions().waits_for_ready(), std::nullopt);
  EXPECT_EQ(CallOptions().wait_for_ready().wait_for_ready(false).waits_for_ready(), false);
}

TEST_P(WaitForReady, TheDeadlineEndsItAndSaysWhatWasWaitedFor) {
  with_enough_time([this](std::chrono::milliseconds timeout) {
    attempts_ = 0;

    const Status status =
        unary(channel(1'000'000), CallOptions().timeout(timeout).wait_for_ready());

    EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
    const std::string why = "the server could not be reached: nobody listens";
    return attempts_ > 1 && status.message().find(why) != std::string::npos;
  });
}

TEST_P(WaitForReady, CancellationEndsIt) {
  std::stop_source source;
  const Channel unreachable = channel(1'000'000);
  std::jthread canceller([this, &source] {
    while (attempts_ < 3)
      std::this_thread::yield();
    source.request_stop();
  });

  const Status status = unary(unreachable, waiting().cancellation(source.get_token()));

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_P(WaitForReady, WhatDoesNotPassEndsItAtOnce) {
  for (const StatusReason reason :
       {StatusReason::bad_target, StatusReason::misuse, StatusReason::not_grpc,
        StatusReason::refused, StatusReason::wrong_server}) {
    attempts_ = 0;
    const Status hopeless = Status(StatusCode::unavailable, "no").with_reason(reason);

    EXPECT_EQ(unary(channel(1'000'000, hopeless)).reason(), reason);
    EXPECT_EQ(attempts_, 1) << to_string(reason);
  }
  const Status denied(StatusCode::permission_denied, "no");
  EXPECT_EQ(unary(channel(1'000'000, denied)).code(), StatusCode::permission_denied);
  EXPECT_EQ(unary(Channel("nonsense:://")).reason(), StatusReason::bad_target);
}

TEST_P(WaitForReady, ACallOutlastsServersThatCloseBeforeTheySaidAnything) {
  // The first bytes of a peer would be its SETTINGS.
  HostileServer silent({[](FramePeer&) {}});
  int connections = 0;
  const std::shared_ptr<Connector> first = silent.options().connector();
  const std::shared_ptr<Connector> then = server_.options().connector();
  const Channel channel("mine", ChannelOptions().connector([&](ConnectContext context) {
    return ++connections <= 3 ? first->connect(std::move(context))
                              : then->connect(std::move(context));
  }));

  const Status status = unary(channel);

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_P(WaitForReady, ACallOutlastsServersThatTakeNone) {
  const ScriptedServer::Script refuse = [](SessionPeer& peer) {
    if (peer.next_call() == nullptr) return;
    peer.take_none("going");
    peer.flush();
  };
  std::vector<ScriptedServer::Script> scripts(6, refuse);
  scripts.emplace_back([](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); });
  ScriptedServer server(std::move(scripts));

  const Status status = unary(Channel("mine", server.options()));

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 7U);
}

TEST_P(WaitForReady, AServerThatIsThereAndRefusesTwiceIsNotWaitedFor) {
  ScriptedServer server({[](SessionPeer& peer) {
    while (http2::Stream* const stream = peer.next_call())
      peer.reset(*stream, http2::ErrorCode::refused_stream);
  }});

  const Status status = unary(Channel("mine", server.options().max_connections(1)));

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.message(), "the server did not take the call");
}

TEST_P(WaitForReady, WhatTheServerMayHaveBegunIsNotWaitedFor) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_NE(peer.next_call(), nullptr); }});

  const Status status = unary(Channel("mine", server.options()));

  EXPECT_EQ(status.reason(), StatusReason::connection_lost) << status.to_string();
  EXPECT_EQ(server.connection_count(), 1U);
}

class WaitForReadyTogether : public WaitForReady {};

INSTANTIATE_TEST_SUITE_P(Each,
                         WaitForReadyTogether,
                         testing::Values(CallForm::blocking),
                         testing::PrintToStringParamName());

TEST_P(WaitForReadyTogether, OneOfManyThreadsTriesForAll) {
  constexpr int threads = 8;
  constexpr int failures = 5;
  const Channel late = channel(failures);
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < threads; ++i)
      callers.emplace_back([this, &late] { EXPECT_TRUE(unary(late).ok()); });
  }

  EXPECT_LE(attempts_, failures + threads);
}

TEST_P(WaitForReadyTogether, WhoTriesForAllHandsThatOnWhenItLeaves) {
  std::stop_source source;
  const Channel late = channel(8);
  std::jthread first([this, &late, &source] {
    const Status status = unary(late, waiting().cancellation(source.get_token()));
    EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
  });
  while (attempts_ < 2)
    std::this_thread::yield();
  std::jthread second([this, &late] { EXPECT_TRUE(unary(late).ok()); });

  source.request_stop();
}

Task<void> call_and_count(const ClientStub& stub, int& answered) {
  const Result<Text> reply = co_await await_unary(stub, waiting());
  if (reply.ok()) ++answered;
}

TEST_P(WaitForReadyTogether, AHundredCallsOfALoopWaitForOneAttempt) {
  const Channel late = channel(5);
  const ClientStub stub(late, test_methods);
  EventLoop loop;
  int answered = 0;
  std::vector<JoinHandle<void>> calls;
  for (int i = 0; i < 100; ++i)
    calls.push_back(spawn(loop, call_and_count(stub, answered)));

  while (answered < 100)
    loop.poll();

  EXPECT_EQ(attempts_, 6);
}

TEST_P(WaitForReadyTogether, ACallThatPausesEndsWithItsLoop) {
  ScriptedServer server({[](SessionPeer& peer) {
    if (peer.next_call() == nullptr) return;
    peer.take_none("going");
    peer.flush();
  }});
  const Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);
  auto loop = std::make_unique<EventLoop>();
  std::optional<AsyncUnaryCall<Text>> call;
  loop->post(
      [&] { call.emplace(stub.unary_async<Text>(unary_method, text_of("request"), waiting())); });
  while (server.connection_count() < 9)  // from now on it pauses most of the time
    loop->poll();
  for (int i = 0; i < 10'000; ++i)
    loop->poll();

  loop.reset();

  EXPECT_TRUE(call->is_done());
  EXPECT_EQ(call->status().code(), StatusCode::cancelled);
}

}  // namespace
}  // namespace nearcall::test
