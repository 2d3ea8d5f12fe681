// SPDX-License-Identifier: Apache-2.0
// nearcall's side of the retry cases: `program serve TARGET`, or `program call TARGET NAME CONFIG`.
#include "greet.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <chrono>
#include <cstdio>
#include <sstream>
#include <string>

namespace {

/// A name is "FAILURES" or "FAILURES PUSHBACK": so many attempts fail, and say that.
class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    const std::string before(call.metadata().get("grpc-previous-rpc-attempts").value_or("0"));
    std::istringstream wanted(request.name());
    int failures = 0;
    std::string pushback;
    wanted >> failures >> pushback;
    if (std::stoi(before) < failures) {
      if (!pushback.empty()) call.add_trailer("grpc-retry-pushback-ms", pushback);
      co_return nearcall::Status::unavailable("before: " + before);
    }
    greet::HelloReply reply;
    reply.set_message("before: " + before);
    co_return reply;
  }
};

int serve(const char* target) {
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(target);
  if (const auto started = server.start(); !started) return 1;
  std::puts("READY");
  std::fflush(stdout);
  std::getchar();  // until its standard input is closed
  server.stop();
  server.wait();
  return 0;
}

int call(const char* target, const char* name, const char* config) {
  greet::Greeter::Client greeter(
      nearcall::Channel(target, nearcall::ChannelOptions().service_config(config)));
  greet::HelloRequest request;
  request.set_name(name);
  const auto reply =
      greeter.SayHello(request, nearcall::CallOptions().timeout(std::chrono::seconds(20)));
  const nearcall::Status status = reply.status();
  const std::string text = reply ? reply->message() : status.message();
  std::printf("%s %s\n", std::string(to_string(status.code())).c_str(), text.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 1 ? argv[1] : "";
  if (mode == "serve" && argc == 3) return serve(argv[2]);
  if (mode == "call" && argc == 5) return call(argv[2], argv[3], argv[4]);
  return 2;
}
