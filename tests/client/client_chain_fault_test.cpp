// SPDX-License-Identifier: Apache-2.0
// Interceptors of a channel that do what they must not: what becomes of the call.
#include "client/client_chain_fixture.hpp"

#include <nearcall/resume_on.hpp>
#include <nearcall/thread_pool.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <coroutine>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class ClientChainFaultTest : public ClientChainTest {};

INSTANTIATE_TEST_SUITE_P(,
                         ClientChainFaultTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

// ---- bad ones -----------------------------------------------------------------------------------

Task<Status> throw_before(OutgoingCall& /*call*/, Notes& /*notes*/, std::string /*name*/) {
  throw std::runtime_error("as the test asked");
  co_return Status();
}

Task<Status> throw_after(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Status status = co_await call.proceed();
  throw std::runtime_error("as the test asked");
}

Task<Status> throw_at_once(OutgoingCall& /*call*/, Notes& /*notes*/, std::string /*name*/) {
  throw std::runtime_error("as the test asked");
}

Task<Status> throw_in_hook(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.on_request([](google::protobuf::MessageLite&) -> Status {
    throw std::runtime_error("as the test asked");
  });
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainFaultTest, OneThatThrowsEndsTheCall) {
  for (const Around::Body body : {throw_before, throw_after, throw_at_once, throw_in_hook}) {
    options_ = ChannelOptions();
    add(body);

    EXPECT_EQ(ask("hello").status(), Status::unknown("an interceptor of the client failed"));
    EXPECT_TRUE(log_capture().take("as the test asked"));
    EXPECT_EQ(chat({"1"}).second, Status::unknown("an interceptor of the client failed"));
    EXPECT_TRUE(log_capture().take("as the test asked"));
  }
}

Task<Status> add_empty_hooks(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.on_request({});
  call.on_reply({});
  call.on_attempt({});
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainFaultTest, EmptyHooksAndInterceptorsAreNone) {
  options_.interceptor(nullptr);
  add(add_empty_hooks);

  EXPECT_EQ(ask("hello").value().value(), "hello");
  EXPECT_EQ(chat({"1"}).second, Status());
}

Task<Status> proceed_twice(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Status first = co_await call.proceed();
  Status second = co_await call.proceed();
  co_return second;
}

Task<Status> reply_twice(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("mine");
  call.reply(reply);
  call.reply(reply);
  co_return Status();
}

Task<Status> reply_beside_the_server(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Status status = co_await call.proceed();
  const Text reply = text_of("mine");
  call.reply(reply);
  co_return Status();
}

Task<Status> proceed_after_reply(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("mine");
  call.reply(reply);
  Status status = co_await call.proceed();
  co_return status;
}

Task<Status> reply_nothing(OutgoingCall& /*call*/, Notes& /*notes*/, std::string /*name*/) {
  co_return Status();
}

TEST_P(ClientChainFaultTest, OneThatAnswersTwiceOrWithoutAReplyIsInternalAndLogged) {
  const std::pair<Around::Body, std::string> cases[] = {
      {proceed_twice, "called proceed() twice"},
      {reply_twice, "answered a call twice"},
      {reply_beside_the_server, "answered a call twice"},
      {proceed_after_reply, "called proceed() after reply()"},
      {reply_nothing, "ended a call with OK and without a reply"}};
  for (const auto& [body, mistake] : cases) {
    options_ = ChannelOptions();
    add(body);

    const Status status = ask("hello").status();

    EXPECT_EQ(status.code(), StatusCode::internal);
    EXPECT_THAT(std::string(status.message()), HasSubstr(mistake));
    EXPECT_TRUE(log_capture().take(mistake));
  }
}

struct Leaving {
  int* gone;
  ~Leaving() { ++*gone; }
};

Task<Status> wait_for_ever(OutgoingCall& call, Notes& notes, std::string name) {
  const Leaving leaving{&notes.gone};
  if (name == "after") static_cast<void>(co_await call.proceed());
  notes.seen.emplace_back("waits");
  co_await notes.go_on.wait();
  co_return Status::internal("not reached");
}

Task<Status> wait_without_loop(OutgoingCall& call, Notes& notes, std::string name) {
  const Leaving leaving{&notes.gone};
  if (name == "after") static_cast<void>(co_await call.proceed());
  co_await std::suspend_always();
  co_return Status::internal("not reached");
}

class ClientChainWaitTest : public ClientChainFixture,
                            public testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(,
                         ClientChainWaitTest,
                         testing::Values(std::string("before"), std::string("after")));

TEST_P(ClientChainWaitTest, ABlockingCallOfOneThatNeverGoesOnIsRefused) {
  add(wait_without_loop, GetParam());
  const ClientStub stub = this->stub();

  const Result<Text> reply = stub.unary<Text>(WrapperService::echo, text_of("a"), patient());
  const Status status = stub.bidi_streaming<Text, Text>(WrapperService::chat, patient()).finish();

  EXPECT_EQ(reply.status().code(), StatusCode::failed_precondition);
  EXPECT_THAT(std::string(reply.status().message()), HasSubstr("/test.Wrapper/Echo"));
  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_EQ(notes_.gone, 2);
}

Task<Status> leave_thread(OutgoingCall& call, Notes& notes, std::string name) {
  static ThreadPool pool(1);
  const Leaving leaving{&notes.gone};
  if (name == "after") static_cast<void>(co_await call.proceed());
  co_await resume_on(pool);
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainWaitTest, ABlockingCallWaitsForOneThatLeftItsThread) {
  add(leave_thread, GetParam());
  const ClientStub stub = this->stub();
  constexpr int count = 100;

  for (int i = 0; i < count; ++i) {
    const Result<Text> reply = stub.unary<Text>(WrapperService::echo, text_of("a"), patient());
    EXPECT_EQ(reply.status().code(), StatusCode::failed_precondition);
  }

  EXPECT_EQ(notes_.gone, count);
  static_cast<void>(log_capture().take("called proceed() twice"));
  log_capture().allow("called proceed() twice");
}

Task<Result<Text>> ask_awaited(ClientStub stub, CallOptions options) {
  const Text request = text_of("a");
  auto call = stub.unary_async<Text>(WrapperService::echo, request, options);
  co_return co_await call;
}

TEST_P(ClientChainWaitTest, TheDeadlineEndsACallOfOneThatNeverGoesOn) {
  add(wait_for_ever, GetParam());

  const Result<Text> reply = sync_wait(ask_awaited(stub(), CallOptions().timeout(50ms)));

  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(notes_.gone, 1);
}

Task<Status> cancel_one_that_waits(ClientStub stub, Notes& notes) {
  std::stop_source stop;
  const Text request = text_of("a");
  const CallOptions options = patient().cancellation(stop.get_token());
  auto call = stub.unary_async<Text>(WrapperService::echo, request, options);
  while (notes.seen.empty())
    co_await sleep_for(1ms);
  stop.request_stop();
  Result<Text> reply = co_await call;
  co_return reply.status();
}

TEST_P(ClientChainWaitTest, CancellationEndsACallOfOneThatNeverGoesOn) {
  add(wait_for_ever, GetParam());

  EXPECT_EQ(sync_wait(cancel_one_that_waits(stub(), notes_)),
            Status::cancelled("the call was cancelled"));
  EXPECT_EQ(notes_.gone, 1);
}

Task<int> drop_one_that_waits(ClientStub stub, Notes& notes) {
  {
    const Text request = text_of("a");
    auto call = stub.unary_async<Text>(WrapperService::echo, request, patient());
    while (notes.seen.empty())
      co_await sleep_for(1ms);
  }
  co_return notes.gone;
}

TEST_P(ClientChainWaitTest, OneIsDestroyedWhereItWaitsWithItsCall) {
  add(wait_for_ever, GetParam());

  EXPECT_EQ(sync_wait(drop_one_that_waits(stub(), notes_)), 1);
}

Task<Status> wait_on_loop(OutgoingCall& call, Notes& notes, std::string name) {
  const Leaving leaving{&notes.gone};
  if (name == "after") static_cast<void>(co_await call.proceed());
  notes.seen.emplace_back("waits");
  co_await sleep_for(1h);
  co_return Status::internal("not reached");
}

Task<void> begin_and_leave(ClientStub stub,
                           std::optional<AsyncUnaryCall<Text>>& call,
                           Notes& notes) {
  const Text request = text_of("a");
  call.emplace(stub.unary_async<Text>(WrapperService::echo, request, patient()));
  while (notes.seen.empty())
    co_await sleep_for(1ms);
  EventLoop::current()->stop();
}

TEST_P(ClientChainWaitTest, OneIsDestroyedWhereItWaitsWithItsLoop) {
  add(wait_on_loop, GetParam());
  std::optional<AsyncUnaryCall<Text>> call;
  {
    EventLoop loop;
    static_cast<void>(spawn(loop, begin_and_leave(stub(), call, notes_)));
    loop.run();
    EXPECT_EQ(notes_.gone, 0);
  }

  EXPECT_EQ(notes_.gone, 1);
  EXPECT_TRUE(call->is_done());
  EXPECT_EQ(call->status().code(), StatusCode::cancelled);
}

Task<Status> drop_in_proceed(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  const Leaving leaving{&notes.gone};
  Status status = co_await call.proceed();
  co_return status;
}

TEST_F(ClientChainFixture, OneIsDestroyedInProceedWithItsCall) {
  add(drop_in_proceed);
  {
    auto call = stub().bidi_streaming<Text, Text>(WrapperService::chat, patient());
    EXPECT_TRUE(call.write(text_of("a")));
  }
  EXPECT_EQ(notes_.gone, 1);
}

}  // namespace
}  // namespace nearcall::test
