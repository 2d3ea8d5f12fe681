// SPDX-License-Identifier: Apache-2.0
// The smallest client: a call that blocks, and two that are awaited side by side.
#include "greet.nearcall.hpp"
#include "program.hpp"

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
  const auto soon = CallOptions().timeout(1s);
  auto first = greeter.SayHelloAsync(named("Ada"), soon);
  auto second = greeter.SayHelloAsync(named("Grace"), soon);  // both are under way
  const Result<greet::HelloReply> one = co_await first;
  const Result<greet::HelloReply> two = co_await second;
  if (!one) co_return one.status();
  if (!two) co_return two.status();
  std::printf("%s; %s\n", one->message().c_str(), two->message().c_str());
  co_return Status();
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);

  const Result<greet::HelloReply> reply =
      greeter.SayHello(named("world"), CallOptions().timeout(1s));
  if (!reply) return report(reply.status());
  std::printf("%s\n", reply->message().c_str());
  const Status two = nearcall::sync_wait(greet_two(greeter));
  return two.ok() ? 0 : report(two);
}
