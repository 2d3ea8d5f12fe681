// SPDX-License-Identifier: Apache-2.0
// A client that makes a call of each kind, lets a deadline pass, cancels a call, and asks for
// health and for the services that there are.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/health.hpp>
#include <nearcall/reflection.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

namespace {

int failures = 0;

void show(const char* what, const std::string& text) {
  std::printf("%-18s %s\n", what, text.c_str());
}

void expect(bool holds, const char* what, const Status& status) {
  if (holds) return;
  ++failures;
  std::fprintf(stderr, "FAILED: %s: ", what);
  report(status);
}

greet::HelloRequest named(const char* name) {
  greet::HelloRequest request;
  request.set_name(name);
  return request;
}

void unary(greet::Greeter::Client& greeter) {
  const Result<greet::HelloReply> reply =
      greeter.SayHello(named("world"), CallOptions().timeout(1s));
  expect(reply.ok(), "unary", reply.status());
  if (reply) show("unary", reply->message());
}

void client_streaming(greet::Greeter::Client& greeter) {
  auto call = greeter.GreetAll(CallOptions().timeout(1s));
  for (const char* name : {"Ada", "Grace", "Barbara"})
    call.write(named(name));
  const Result<greet::HelloReply> reply = call.finish();
  expect(reply.ok(), "client streaming", reply.status());
  if (reply) show("client streaming", reply->message());
}

void server_streaming(greet::Greeter::Client& greeter) {
  greet::RepeatRequest request;
  request.set_name("world");
  request.set_times(3);
  auto call = greeter.Repeat(request, CallOptions().timeout(1s));
  while (const std::optional<greet::HelloReply> reply = call.read()) {
    show("server streaming", reply->message());
  }
  const Status status = call.finish();
  expect(status.ok(), "server streaming", status);
}

void bidirectional(greet::Greeter::Client& greeter) {
  auto call = greeter.Chat(CallOptions().timeout(1s));
  for (const char* name : {"Ada", "Grace"}) {
    call.write(named(name));
    if (const std::optional<greet::HelloReply> reply = call.read()) {
      show("bidirectional", reply->message());
    }
  }
  const Status status = call.finish();
  expect(status.ok(), "bidirectional", status);
}

void deadline(greet::Greeter::Client& greeter) {
  const Result<greet::HelloReply> reply =
      greeter.SayHelloSlowly(named("the impatient"), CallOptions().timeout(50ms));
  expect(reply.status().code() == StatusCode::deadline_exceeded, "deadline", reply.status());
  show("deadline", reply.status().to_string());
}

void cancelled(greet::Greeter::Client& greeter) {
  std::stop_source stop;
  const std::jthread canceller([&stop] { stop.request_stop(); });
  const Result<greet::HelloReply> reply = greeter.SayHelloSlowly(
      named("the fickle"), CallOptions().timeout(1s).cancellation(stop.get_token()));
  expect(reply.status().code() == StatusCode::cancelled, "cancelled", reply.status());
  show("cancelled", reply.status().to_string());
}

/// Two calls side by side, awaited.
Task<void> awaited(greet::Greeter::Client& greeter) {
  const auto soon = CallOptions().timeout(1s);
  auto first = greeter.SayHelloAsync(named("one"), soon);
  auto second = greeter.SayHelloAsync(named("two"), soon);
  const Result<greet::HelloReply> one = co_await first;
  const Result<greet::HelloReply> two = co_await second;
  expect(one.ok() && two.ok(), "awaited", one.ok() ? two.status() : one.status());
  if (one && two) show("awaited", one->message() + "; " + two->message());
}

void health(const nearcall::Channel& channel) {
  const Result<nearcall::ServingStatus> status =
      nearcall::check_health(channel, greet::Greeter::full_name, CallOptions().timeout(1s));
  expect(status && *status == nearcall::ServingStatus::serving, "health", status.status());
  if (status) show("health", std::string(to_string(*status)));
}

void reflection(const nearcall::Channel& channel) {
  const auto names = nearcall::list_services(channel, CallOptions().timeout(1s));
  expect(names.ok(), "reflection", names.status());
  if (!names) return;
  expect(std::ranges::count(*names, greet::Greeter::full_name) == 1, "reflection", Status());
  for (const std::string& name : *names)
    show("reflection", name);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::Channel channel(argv[1]);
  if (const Status connected = channel.connect(1s); !connected.ok()) return report(connected);
  greet::Greeter::Client greeter(channel);
  unary(greeter);
  client_streaming(greeter);
  server_streaming(greeter);
  bidirectional(greeter);
  deadline(greeter);
  cancelled(greeter);
  nearcall::sync_wait(awaited(greeter));
  health(channel);
  reflection(channel);
  return failures == 0 ? 0 : 1;
}
