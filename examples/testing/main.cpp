// SPDX-License-Identifier: Apache-2.0
// A service and its clients in a test: one thread, no sleeps.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/async_event.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/when.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>

using namespace std::chrono_literals;
using nearcall::AsyncEvent;
using nearcall::CallOptions;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

/// What is tested.
class GreeterService final : public greet::Greeter::Service {
 public:
  AsyncEvent has_begun;

 private:
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    if (request.name().empty()) co_return Status::invalid_argument("a name, please");
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest) override {
    has_begun.set();
    co_await call.until_ending();
    co_return Status::cancelled("nobody waits any more");
  }
};

/// Server, channel and test on one loop; gone when the test is.
class GreeterTest {
 public:
  explicit GreeterTest(const std::string& target) : channel_(target) {
    server_.add_service(service).listen(target);
    if (const auto started = server_.start(); !started) std::exit(report(started.error()));
  }

  nearcall::EventLoop loop;
  GreeterService service;

 private:
  nearcall::EventLoop::Binding binding_{loop};  // what sync_wait() drives
  nearcall::Server server_{loop};
  nearcall::Channel channel_;

 public:
  greet::Greeter::Client greeter{channel_};
};

Task<Status> call_with(GreeterTest& test, std::string name) {
  greet::HelloRequest request;
  request.set_name(name);
  const auto reply = co_await test.greeter.SayHelloAsync(request, CallOptions().timeout(5s));
  co_return reply.status();
}

Task<Status> call_slowly(GreeterTest& test, std::chrono::nanoseconds timeout) {
  const auto options = CallOptions().timeout(timeout);
  const auto reply = co_await test.greeter.SayHelloSlowlyAsync(greet::HelloRequest(), options);
  co_return reply.status();
}

Task<> wait_for(AsyncEvent& event) {
  co_await event.wait();
}

Task<bool> is_cancelled_at_once(GreeterTest& test) {
  const auto first = co_await when_any(call_slowly(test, 1h), wait_for(test.service.has_begun));
  co_return first.index() == 1;  // the call was under way, and is cancelled by now
}

int failures = 0;
void expect(bool holds, const char* what) {
  std::printf("%s: %s\n", what, holds ? "ok" : "FAILED");
  failures += holds ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterTest test(argv[1]);
  expect(sync_wait(call_with(test, "you")).ok(), "a name is greeted");
  expect(sync_wait(call_with(test, "")).code() == StatusCode::invalid_argument, "none is not");
  expect(sync_wait(call_slowly(test, 0s)).code() == StatusCode::deadline_exceeded, "a late call");
  expect(sync_wait(is_cancelled_at_once(test)), "a call that is dropped");
  return failures == 0 ? 0 : 1;
}
