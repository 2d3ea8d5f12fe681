// SPDX-License-Identifier: Apache-2.0
// A deadline that a handler passes on to the call it makes itself; both end in time.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Channel;
using nearcall::StatusCode;

class GreeterService final : public greet::Greeter::Service {
 public:
  explicit GreeterService(Channel& backend) : backend_(backend) {}

 private:
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    CallOptions options;
    options.deadline(call.deadline());
    const Result<greet::HelloReply> reply = co_await backend_.SayHelloSlowlyAsync(request, options);
    std::printf("the handler: %s\n", reply.status().to_string().c_str());
    co_return reply;
  }

  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest) override {
    co_await nearcall::sleep_for(10s, call.cancellation());
    co_return Status(StatusCode::cancelled, "nobody waits any more");
  }

  greet::Greeter::Client backend_;
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  Channel channel(argv[1]);
  GreeterService service(channel);
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  greet::Greeter::Client greeter(channel);
  const auto reply = greeter.SayHello(greet::HelloRequest(), CallOptions().timeout(50ms));

  server.stop();
  server.wait();
  std::printf("the client: %s\n", reply.status().to_string().c_str());
  return reply.status().code() == StatusCode::deadline_exceeded ? 0 : report(reply.status());
}
