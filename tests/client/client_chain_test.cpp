// SPDX-License-Identifier: Apache-2.0
// Interceptors of a channel: what they see and change, in both forms.
#include "client/client_chain.hpp"

#include "client/client_chain_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

INSTANTIATE_TEST_SUITE_P(,
                         ClientChainTest,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

// ---- what they see and change -------------------------------------------------------------------

Task<Status> note_both_ways(OutgoingCall& call, Notes& notes, std::string name) {
  notes.seen.push_back(name + " in");
  Status status = co_await call.proceed();
  notes.seen.push_back(name + " out: " + std::string(to_string(status.code())));
  co_return status;
}

TEST_P(ClientChainTest, TheFirstOneIsOutermost) {
  add(note_both_ways, "a").add(note_both_ways, "b");

  const Result<Text> reply = ask("hello");

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "hello");
  EXPECT_THAT(notes_.seen, ElementsAre("a in", "b in", "b out: OK", "a out: OK"));
}

TEST_P(ClientChainTest, TheyPassAServersStatusOn) {
  add(note_both_ways, "a");
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return Status::not_found("no such text");
  };

  EXPECT_EQ(ask("hello").status(), Status::not_found("no such text"));
  EXPECT_THAT(notes_.seen, ElementsAre("a in", "a out: NOT_FOUND"));
}

Task<Status> change_head(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  notes.seen.emplace_back(call.method());
  call.metadata().clear();
  static_cast<void>(call.metadata().add("token", "secret"));
  call.set_deadline(std::chrono::steady_clock::now() + 1h);
  const Status status = co_await call.proceed();
  notes.seen.emplace_back(call.headers().get("header").value_or("none"));
  notes.seen.emplace_back(call.trailers().get("trailer").value_or("none"));
  co_return status;
}

TEST_P(ClientChainTest, MetadataAndDeadlineCanBeChanged) {
  add(change_head);
  service_.on_echo = [](ServerContext& call, const Text&) -> Result<Text> {
    EXPECT_FALSE(call.metadata().get("key"));
    EXPECT_GT(call.deadline(), std::chrono::steady_clock::now() + 30min);
    call.add_header("header", "1").add_trailer("trailer", "2");
    return text_of(std::string(call.metadata().get("token").value_or("none")));
  };

  const Result<Text> reply = ask("hello", patient().metadata("key", "value"));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "secret");
  EXPECT_THAT(notes_.seen, ElementsAre("/test.Wrapper/Echo", "1", "2"));
}

Task<Status> be_late(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.set_deadline(std::chrono::steady_clock::time_point::min());
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainTest, ADeadlineBeforeAllTimeHasPassed) {
  add(be_late);
  service_.on_echo = [](ServerContext& call, const Text&) -> Result<Text> {
    EXPECT_LT(call.deadline(), std::chrono::steady_clock::now() + 1h);
    return text_of("in time");
  };

  EXPECT_EQ(ask("hello").status().code(), StatusCode::deadline_exceeded);
}

Task<Status> rewrite(OutgoingCall& call, Notes& notes, std::string name) {
  int requests = 0;
  int replies = 0;
  call.on_request([&](google::protobuf::MessageLite& request) {
    ++requests;
    text_in(request).mutable_value()->append(">" + name);
    return Status();
  });
  call.on_reply([&](google::protobuf::MessageLite& reply) {
    ++replies;
    text_in(reply).mutable_value()->append("<" + name);
    return Status();
  });
  Status status = co_await call.proceed();
  notes.seen.push_back(std::to_string(requests) + "/" + std::to_string(replies));
  co_return status;
}

TEST_P(ClientChainTest, MessagesAreSeenOnTheWayInAndInTheOppositeOrderOnTheWayOut) {
  add(rewrite, "a").add(rewrite, "b");

  const Result<Text> reply = ask("x");

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "x>a>b<b<a");
  EXPECT_THAT(notes_.seen, ElementsAre("1/1", "1/1"));
}

TEST_P(ClientChainTest, EachMessageOfAStreamIsSeen) {
  add(rewrite, "a");

  const auto [replies, status] = chat({"1", "2", "3"});

  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(replies, ElementsAre("1>a<a", "2>a<a", "3>a<a"));
  EXPECT_THAT(notes_.seen, ElementsAre("3/3"));
}

TEST_P(ClientChainTest, TheRequestOfTheCallerIsNotChanged) {
  add(rewrite, "a");
  const Text request = text_of("mine");
  const ClientStub stub = this->stub();

  if (GetParam() == CallForm::blocking)
    EXPECT_TRUE(stub.unary<Text>(WrapperService::echo, request, patient()).ok());
  else
    EXPECT_TRUE(ask(request.value()).ok());

  EXPECT_EQ(request.value(), "mine");
}

Task<Status> change_status(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Status status = co_await call.proceed();
  co_return Status::aborted("instead of " + status.to_string());
}

TEST_P(ClientChainTest, TheStatusCanBeChanged) {
  add(change_status);

  EXPECT_EQ(ask("hello").status(), Status::aborted("instead of OK"));
  EXPECT_EQ(chat({"1"}).second, Status::aborted("instead of OK"));
}

// ---- own answers --------------------------------------------------------------------------------

Task<Status> refuse(OutgoingCall& /*call*/, Notes& /*notes*/, std::string /*name*/) {
  co_return Status::unauthenticated("no token");
}

TEST_P(ClientChainTest, AStatusWithoutProceedIsTheAnswer) {
  add(note_both_ways, "a").add(refuse).add(note_both_ways, "never");

  EXPECT_EQ(ask("hello").status(), Status::unauthenticated("no token"));
  EXPECT_EQ(chat({"1"}).second, Status::unauthenticated("no token"));
  EXPECT_EQ(service_.started.count(), 0);
  EXPECT_THAT(notes_.seen,
              ElementsAre("a in", "a out: UNAUTHENTICATED", "a in", "a out: UNAUTHENTICATED"));
}

Task<Status> answer(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  const Text reply = text_of("from the cache");
  call.reply(reply);
  co_return Status();
}

TEST_P(ClientChainTest, AReplyOfItsOwnIsTheAnswer) {
  add(rewrite, "a").add(answer);

  const Result<Text> reply = ask("hello");
  const auto [replies, status] = chat({});

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "from the cache<a");
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_THAT(replies, ElementsAre("from the cache<a"));
  EXPECT_EQ(service_.started.count(), 0);
}

Task<Status> fall_back(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  Status status = co_await call.proceed();
  if (status.ok()) co_return status;
  const Text reply = text_of("stale");
  call.reply(reply);
  co_return Status();
}

TEST_P(ClientChainTest, AReplyOfItsOwnCanStandInForAFailure) {
  add(fall_back);
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return Status::unavailable("not now");
  };

  const Result<Text> reply = ask("hello");

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "stale");
}

Task<Status> refuse_requests(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.on_request([](google::protobuf::MessageLite& message) {
    return text_in(message).value() == "bad" ? Status::invalid_argument("bad text") : Status();
  });
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainTest, ARequestThatIsRefusedIsNotSent) {
  add(refuse_requests);

  EXPECT_EQ(ask("bad").status(), Status::invalid_argument("bad text"));
  EXPECT_EQ(service_.started.count(), 0);
  EXPECT_EQ(chat({"good", "bad"}).second, Status::invalid_argument("bad text"));
}

Task<Status> refuse_replies(OutgoingCall& call, Notes& /*notes*/, std::string /*name*/) {
  call.on_reply(
      [](google::protobuf::MessageLite&) { return Status::data_loss("not what I want"); });
  Status status = co_await call.proceed();
  co_return status;
}

TEST_P(ClientChainTest, AReplyThatIsRefusedEndsTheCall) {
  add(refuse_replies);

  EXPECT_EQ(ask("hello").status(), Status::data_loss("not what I want"));
  const auto [replies, status] = chat({"1"});
  EXPECT_EQ(status, Status::data_loss("not what I want"));
  EXPECT_THAT(replies, ElementsAre());
}

// ---- awaited ------------------------------------------------------------------------------------

Task<Status> wait_first(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  co_await notes.go_on.wait();
  call.on_request([](google::protobuf::MessageLite& message) {
    text_in(message).mutable_value()->append(" late");
    return Status();
  });
  Status status = co_await call.proceed();
  co_return status;
}

Task<std::string> begin_late(std::unique_ptr<Channel> channel, Notes& notes) {
  std::unique_ptr<Text> request = std::make_unique<Text>(text_of("request"));
  const ClientStub stub(*channel, WrapperService::methods);
  auto call = stub.unary_async<Text>(WrapperService::echo, *request, patient());
  request.reset();
  notes.go_on.set();
  Result<Text> reply = co_await call;
  co_return reply.ok() ? reply->value() : reply.status().to_string();
}

TEST_F(ClientChainFixture, ACallBeginsOnceTheyHaveWaited) {
  add(wait_first);

  EXPECT_EQ(sync_wait(begin_late(std::make_unique<Channel>(target(), options_), notes_)),
            "request late");
}

Task<Result<Text>> outlive_channel(std::string target, ChannelOptions options, Notes& notes) {
  std::optional<ClientStub> stub;
  stub.emplace(Channel(target, options), WrapperService::methods);
  const Text request = text_of("request");
  auto call = stub->unary_async<Text>(WrapperService::echo, request, patient());
  stub.reset();
  notes.go_on.set();
  co_return co_await call;
}

TEST_F(ClientChainFixture, ACallThatWaitedBeginsWhenItsChannelIsGone) {
  add(wait_first);

  const Result<Text> reply = sync_wait(outlive_channel(target(), options_, notes_));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->value(), "request late");
}

Task<void> set_later(Notes& notes) {
  co_await sleep_for(1ms);
  notes.go_on.set();
}

Task<std::string> write_early(ClientStub stub, Notes& notes) {
  Chat call = stub.bidi_streaming_async<Text, Text>(WrapperService::chat, patient());
  const Text message = text_of("early");
  static_cast<void>(spawn(set_later(notes)));
  co_await call.write(message);
  Text reply;
  co_await call.read(reply);
  co_return reply.value();
}

TEST_F(ClientChainFixture, WhatIsWrittenMeanwhileWaitsAndPassesTheHooks) {
  add(wait_first);

  EXPECT_EQ(sync_wait(write_early(stub(), notes_)), "early late");
}

// ---- attempts -----------------------------------------------------------------------------------

Task<Status> note_attempts(OutgoingCall& call, Notes& notes, std::string /*name*/) {
  call.on_attempt(
      [&](std::size_t number) { notes.seen.push_back("attempt " + std::to_string(number)); });
  Status status = co_await call.proceed();
  notes.seen.emplace_back(to_string(status.code()));
  co_return status;
}

TEST(ClientChainAttemptTest, TheyAreAskedOnceACallAndToldOfEachAttempt) {
  for (const CallForm form : {CallForm::blocking, CallForm::awaited}) {
    ScriptedServer server({[](SessionPeer& peer) {
                             http2::Stream* const first = peer.next_call();
                             ASSERT_NE(first, nullptr);
                             peer.reset(*first, http2::ErrorCode::refused_stream);
                             EXPECT_TRUE(peer.answer_all("reply"));
                           },
                           [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
    Notes notes;
    const Channel channel(
        "mine", server.options().interceptor(std::make_shared<Around>(note_attempts, notes)));
    const ClientStub stub(channel, test_methods);

    const Result<Text> reply =
        form == CallForm::blocking ? call_unary(stub) : sync_wait(await_unary(stub));

    EXPECT_TRUE(reply.ok()) << reply.status().to_string();
    EXPECT_THAT(notes.seen, ElementsAre("attempt 1", "attempt 2", "OK"));
  }
}

}  // namespace
}  // namespace nearcall::test
