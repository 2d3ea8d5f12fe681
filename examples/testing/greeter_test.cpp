// SPDX-License-Identifier: Apache-2.0
// Tests of a service, and of code that calls one, with GoogleTest: no socket, no sleep.
#include "greet.nearcall.hpp"

#include <nearcall/testing/manual_clock.hpp>
#include <nearcall/testing/test_call.hpp>
#include <nearcall/testing/test_server.hpp>

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;
using nearcall::testing::ManualClock;
using nearcall::testing::TestCall;
using nearcall::testing::TestReplies;
using nearcall::testing::TestRequests;
using nearcall::testing::TestServer;

// ---- what is tested -----------------------------------------------------------------------------

class GreeterService final : public greet::Greeter::Service {
 public:
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    if (request.name().empty()) co_return Status::invalid_argument("a name, please");
    greet::HelloReply reply;
    reply.set_message(std::string(call.metadata().get("greeting").value_or("hello")) + " " +
                      request.name());
    call.add_trailer("greeted-by", "coroutine");
    co_return reply;
  }
  Task<Status> Chat(ServerContext& call,
                    ServerReader<greet::HelloRequest>& requests,
                    ServerWriter<greet::HelloReply>& replies) override {
    greet::HelloRequest request;
    while (co_await requests.read(request)) {
      greet::HelloReply reply;
      reply.set_message("hello " + request.name());
      const bool is_taken = co_await replies.write(reply);
      if (!is_taken) break;
    }
    co_return call.is_cancelled() ? Status::cancelled("nobody waits") : Status();
  }
  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest) override {
    const bool has_slept = co_await nearcall::sleep_for(1h, call.cancellation());
    has_given_up = !has_slept;
    co_return greet::HelloReply();
  }

  bool has_given_up = false;
};

class BlockingGreeter final : public greet::Greeter::BlockingService {
 public:
  Result<greet::HelloReply> GreetAll(ServerContext& /*call*/,
                                     BlockingReader<greet::HelloRequest>& requests) override {
    greet::HelloReply reply;
    reply.set_message("hello");
    while (const auto request = requests.read())
      reply.set_message(reply.message() + ", " + request->name());
    return reply;
  }
};

/// Code that calls: it is given a Greeter::Client, and in a test something else.
std::string welcome(const greet::Greeter::ClientInterface& greeter, const std::string& name) {
  greet::HelloRequest request;
  request.set_name(name);
  const Result<greet::HelloReply> reply = greeter.SayHello(request, CallOptions().timeout(1s));
  return reply ? reply->message() + "!" : "welcome (" + std::string(reply.error().message()) + ")";
}

// ---- its tests ----------------------------------------------------------------------------------

greet::HelloRequest named(const std::string& name) {
  greet::HelloRequest request;
  request.set_name(name);
  return request;
}

std::vector<std::string> messages(const std::vector<greet::HelloReply>& replies) {
  std::vector<std::string> all;
  for (const greet::HelloReply& reply : replies)
    all.push_back(reply.message());
  return all;
}

TEST(GreeterTest, GreetsOverAChannel) {
  GreeterService service;
  TestServer server(service);
  greet::Greeter::Client greeter(server.channel());

  EXPECT_EQ(greeter.SayHello(named("you"))->message(), "hello you");
  EXPECT_EQ(greeter.SayHello(named("")).status().code(), StatusCode::invalid_argument);
}

TEST(GreeterTest, GreetsAsTheMetadataSays) {
  GreeterService service;
  TestCall call;
  call.add_metadata("greeting", "good morning");

  const Result<greet::HelloReply> reply = sync_wait(service.SayHello(call, named("you")));

  EXPECT_EQ(reply->message(), "good morning you");
  EXPECT_EQ(call.trailers().get("greeted-by"), "coroutine");
}

TEST(GreeterTest, AnswersEachRequest) {
  GreeterService service;
  TestCall call;
  TestRequests<greet::HelloRequest> requests(call, {named("Ada"), named("Grace")});
  TestReplies<greet::HelloReply> replies(call);

  EXPECT_TRUE(sync_wait(service.Chat(call, requests, replies)).ok());
  EXPECT_THAT(messages(replies.written()), testing::ElementsAre("hello Ada", "hello Grace"));
}

TEST(GreeterTest, EndsWhenNobodyReadsAnyMore) {
  GreeterService service;
  TestCall call;
  TestRequests<greet::HelloRequest> requests(call, {named("Ada"), named("Grace")});
  TestReplies<greet::HelloReply> replies(call);
  replies.on_write([&](const greet::HelloReply&) { call.cancel(); });

  const Status status = sync_wait(service.Chat(call, requests, replies));

  EXPECT_EQ(status.code(), StatusCode::cancelled);
  EXPECT_EQ(replies.written().size(), 1U);
}

TEST(BlockingGreeterTest, GreetsAll) {
  BlockingGreeter service;
  TestCall call;
  TestRequests<greet::HelloRequest> requests(call, {named("Ada"), named("Grace")});

  EXPECT_EQ(service.GreetAll(call, requests)->message(), "hello, Ada, Grace");
}

TEST(GreeterTest, GivesUpWithItsDeadline) {
  nearcall::EventLoop loop;
  ManualClock clock(loop);
  const nearcall::EventLoop::Binding binding(loop);  // where awaited calls start
  GreeterService service;
  TestServer server(loop, service);
  greet::Greeter::Client greeter(server.channel());
  const auto call = greeter.SayHelloSlowlyAsync(named("you"), CallOptions().timeout(10min));
  clock.settle();  // the handler has begun

  clock.advance(10min);
  clock.settle();

  EXPECT_EQ(call.status().code(), StatusCode::deadline_exceeded);
  EXPECT_TRUE(service.has_given_up);
}

class MockGreeter : public greet::Greeter::ClientInterface {
 public:
  MOCK_METHOD(Result<greet::HelloReply>,
              SayHello,
              (const greet::HelloRequest&, const CallOptions&, nearcall::CallInfo*),
              (const, override));
};

TEST(WelcomeTest, SaysWhatTheGreeterSays) {
  MockGreeter greeter;
  greet::HelloReply reply;
  reply.set_message("hello you");
  EXPECT_CALL(greeter, SayHello).WillOnce(testing::Return(reply));

  EXPECT_EQ(welcome(greeter, "you"), "hello you!");
}

TEST(WelcomeTest, DoesWithoutAGreeter) {
  MockGreeter greeter;
  EXPECT_CALL(greeter, SayHello).WillOnce(testing::Return(Status::unavailable("it is away")));

  EXPECT_EQ(welcome(greeter, "you"), "welcome (it is away)");
}

}  // namespace
