// SPDX-License-Identifier: Apache-2.0
// The smallest client: a call that blocks, and two that are awaited side by side.
#include "greet.nearcall.hpp"

#include <nearcall/channel.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

greet::HelloRequest named(const char* name) {
  greet::HelloRequest request;
  request.set_name(name);
  return request;
}

Task<Status> greet_two(greet::Greeter::Client& greeter) {
  auto first = greeter.SayHelloAsync(named("Ada"));
  auto second = greeter.SayHelloAsync(named("Grace"));  // both are under way
  const Result<greet::HelloReply> one = co_await first;
  const Result<greet::HelloReply> two = co_await second;
  if (!one) co_return one.status();
  if (!two) co_return two.status();
  std::printf("%s; %s\n", one->message().c_str(), two->message().c_str());
  co_return Status();
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);

  const Result<greet::HelloReply> reply =
      greeter.SayHello(named("world"), CallOptions().timeout(1s));
  if (!reply) {
    std::fprintf(stderr, "%s\n", reply.status().to_string().c_str());
    if (reply.status().reason() == nearcall::StatusReason::no_server) {
      std::fprintf(stderr, "start the server first\n");
    }
    return 1;
  }
  std::printf("%s\n", reply->message().c_str());
  return nearcall::sync_wait(greet_two(greeter)).ok() ? 0 : 1;
}
