// SPDX-License-Identifier: Apache-2.0
// Metadata both ways: headers that come before the first message, trailers of a call that failed.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Metadata;
using nearcall::Result;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call, greet::HelloRequest) override {
    const std::string_view request_id = call.metadata().get("request-id").value_or("none");
    call.add_header("request-id", request_id).send_headers();
    call.add_trailer("tried", "cache, disk");
    co_return Status(StatusCode::not_found, "nobody of that name");
  }
};

Task<Status> ask(greet::Greeter::Client& greeter) {
  CallOptions options;
  options.timeout(5s).metadata("request-id", "7");
  auto call = greeter.SayHelloAsync(greet::HelloRequest(), options);
  const Metadata& headers = co_await call.headers();
  const std::string request_id(headers.get("request-id").value_or("?"));
  std::printf("before the message: %s\n", request_id.c_str());
  const Result<greet::HelloReply> reply = co_await call;
  co_return reply.status();
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);
  const Status status = nearcall::sync_wait(ask(greeter));  // carries the trailers
  std::printf("%s\n", status.to_string().c_str());
  std::printf("tried: %s\n", std::string(status.trailers().get("tried").value_or("?")).c_str());
  return status.code() == StatusCode::not_found ? 0 : report(status);
}
