// SPDX-License-Identifier: Apache-2.0
// Calls, for who comes from grpc++ or .NET: blocking, awaited, with a callback; what is said of
// one, and how it ends.
#include "coming_from.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/when.hpp>

#include <cstdio>
#include <stop_token>
#include <thread>

using namespace std::chrono_literals;
using nearcall::CallInfo;
using nearcall::CallOptions;
using nearcall::Codec;
using nearcall::EventLoop;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

namespace coming_from {

static HelloRequest named(const char* name) {
  HelloRequest request;
  request.set_name(name);
  return request;
}

Status show_blocking_calls(const nearcall::Channel& channel) {
  const greet::Greeter::Client greeter(channel);
  const HelloRequest request = named("Ada");

  CallOptions options;
  options.timeout(5s);
  options.metadata("request-id", "7");
  options.wait_for_ready();
  options.compression(Codec::gzip());

  CallInfo info;
  const Result<HelloReply> reply = greeter.SayHello(request, options, &info);
  if (!reply.ok()) return reply.status();
  std::printf("%s\n", reply->message().c_str());
  const std::string id(info.headers().get("request-id").value_or("none"));
  const std::string by(info.trailers().get("served-by").value_or("nobody"));
  std::printf("request %s, served by %s of uid %u\n", id.c_str(), by.c_str(), info.peer().uid());

  auto writer = greeter.GreetAll(CallOptions().timeout(5s));
  for (const char* name : {"Ada", "Grace"})
    if (!writer.write(named(name))) break;  // the call is over
  const Result<HelloReply> all = writer.finish();
  if (!all) return all.status();
  std::printf("%s\n", all->message().c_str());

  RepeatRequest repeat;
  repeat.set_name("Barbara");
  repeat.set_times(2);
  auto reader = greeter.Repeat(repeat, CallOptions().timeout(5s));
  while (const std::optional<HelloReply> one = reader.read())
    std::printf("%s\n", one->message().c_str());
  return reader.finish();
}

Task<Status> show_awaited_calls(nearcall::Channel channel) {
  const greet::Greeter::Client greeter(channel);
  auto first = greeter.SayHelloAsync(named("one"));
  auto second = greeter.SayHelloAsync(named("two"));  // both are under way
  const Result<HelloReply> one = co_await first;
  const Result<HelloReply> two = co_await second;
  if (!one || !two) co_return one ? two.status() : one.status();
  std::printf("%s, %s\n", one->message().c_str(), two->message().c_str());

  auto chat = greeter.ChatAsync(CallOptions().timeout(5s));
  const HelloRequest request = named("three");
  const bool is_taken = co_await chat.write(request);
  const std::optional<HelloReply> reply = co_await chat.read();
  if (is_taken && reply) std::printf("%s\n", reply->message().c_str());
  chat.writes_done();
  const Status status = co_await chat.finish();
  co_return status;
}

Status show_callbacks(const nearcall::Channel& channel) {
  const greet::Greeter::Client greeter(channel);
  Status status;
  EventLoop loop;
  const EventLoop::Binding bound(loop);
  greeter.SayHelloAsync(named("back")).on_done([&](const Result<HelloReply>& reply) {
    status = reply.status();
    loop.stop();
  });
  loop.run();
  return status;
}

Status show_ends(const nearcall::Channel& channel) {
  const greet::Greeter::Client greeter(channel);
  const Status late = greeter.SayHelloSlowly(named("late"), CallOptions().timeout(20ms)).status();
  if (late.code() == StatusCode::deadline_exceeded) std::printf("it took too long\n");

  std::stop_source stop;
  const std::jthread somebody([&stop] { stop.request_stop(); });
  const auto cancellable = CallOptions().cancellation(stop.get_token());
  const Status cancelled = greeter.SayHelloSlowly(named("unwanted"), cancellable).status();
  if (cancelled.code() == StatusCode::cancelled) std::printf("nobody wants it\n");

  const Status bad = greeter.SayHello(HelloRequest()).status();
  std::printf("%s: %s\n", to_string(bad.code()).data(), bad.message().c_str());
  const Result<nearcall::RichStatus> rich = nearcall::RichStatus::from(bad);
  if (!rich) return rich.status();
  if (const auto detail = rich->find<google::rpc::BadRequest>())
    std::printf("wrong: %s\n", detail->field_violations(0).field().c_str());

  auto dropped = greeter.Chat();
  dropped.cancel();
  const Status end = dropped.finish();
  return end.code() == StatusCode::cancelled ? Status() : end;
}

}  // namespace coming_from
