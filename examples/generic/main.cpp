// SPDX-License-Identifier: Apache-2.0
// Calls of methods that are named at run time, and a service of all those that nobody else serves.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/generic_service.hpp>
#include <nearcall/generic_stub.hpp>
#include <nearcall/server.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::GenericMessage;
using nearcall::Result;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
};

class TheOthers final : public nearcall::GenericService {
  Task<Status> serve(ServerContext& call, Reader& requests, Writer& replies) override {
    std::printf("nobody else serves %s\n", std::string(call.method()).c_str());
    while (std::optional<GenericMessage> request = co_await requests.read()) {
      if (!co_await replies.write(*request)) break;
    }
    co_return Status();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService greeter;
  TheOthers others;
  nearcall::Server server;
  server.add_service(greeter).add_service(others).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  greet::HelloRequest hello;
  hello.set_name("you");
  const nearcall::Channel channel(argv[1]);
  const nearcall::GenericStub stub(channel);
  const GenericMessage request(hello.SerializeAsString());
  const Result<GenericMessage> reply =
      stub.unary("/greet.Greeter/SayHello", request, CallOptions().timeout(1s));
  if (!reply) return report(reply.error());
  greet::HelloReply answer;
  answer.ParseFromString(reply->bytes());
  std::printf("%s\n", answer.message().c_str());

  const Result<GenericMessage> echo =
      stub.unary("/other.Service/Method", GenericMessage("any bytes"), CallOptions().timeout(1s));
  if (!echo) return report(echo.error());
  std::printf("%s\n", echo->bytes().c_str());
  return 0;
}
