// SPDX-License-Identifier: Apache-2.0
// A call that its server refuses twice, attempted again by the channel's service config.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>

using nearcall::CallInfo;
using nearcall::CallOptions;
using nearcall::ChannelOptions;
using nearcall::Status;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    const auto before = call.metadata().get("grpc-previous-rpc-attempts").value_or("0");
    std::printf("attempts before this one: %s\n", std::string(before).c_str());
    if (before != "2") {
      call.add_trailer("grpc-retry-pushback-ms", "10");
      co_return Status::unavailable("too busy");
    }
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
};

constexpr const char* service_config = R"({
  "methodConfig": [{
    "name": [{"service": "greet.Greeter"}],
    "timeout": "5s",
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
})";

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  const ChannelOptions options = ChannelOptions().service_config(service_config);
  if (!options.misuse().ok()) return report(options.misuse());
  greet::Greeter::Client greeter(nearcall::Channel(argv[1], options));
  CallInfo info;
  greet::HelloRequest request;
  request.set_name("you");
  const auto reply = greeter.SayHello(request, CallOptions(), &info);
  if (!reply) return report(reply.error());
  std::printf("%s, after %d attempts\n", reply->message().c_str(), info.attempts());
  return 0;
}
