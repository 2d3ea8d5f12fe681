// SPDX-License-Identifier: Apache-2.0
// A server with one method of each kind, health and reflection, on a Unix domain socket.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/health.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/server.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name() + ", uid " + std::to_string(call.peer().uid()));
    co_return reply;
  }

  Task<Result<greet::HelloReply>> GreetAll(ServerContext&,
                                           ServerReader<greet::HelloRequest>& requests) override {
    std::string names;
    while (std::optional<greet::HelloRequest> request = co_await requests.read()) {
      names += (names.empty() ? "" : ", ") + request->name();
    }
    greet::HelloReply reply;
    reply.set_message("Hello " + names);
    co_return reply;
  }

  Task<Status> Repeat(ServerContext&,
                      greet::RepeatRequest request,
                      ServerWriter<greet::HelloReply>& replies) override {
    greet::HelloReply reply;
    for (unsigned i = 1; i <= request.times(); ++i) {
      reply.set_message("Hello " + request.name() + ", number " + std::to_string(i));
      if (!co_await replies.write(reply)) break;
    }
    co_return Status();
  }

  Task<Status> Chat(ServerContext&,
                    ServerReader<greet::HelloRequest>& requests,
                    ServerWriter<greet::HelloReply>& replies) override {
    greet::HelloRequest request;
    greet::HelloReply reply;
    while (co_await requests.read(request)) {
      reply.set_message("Hello " + request.name());
      if (!co_await replies.write(reply)) break;
    }
    co_return Status();
  }

  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest request) override {
    const bool slept = co_await nearcall::sleep_for(10s, call.cancellation());
    if (!slept) {
      std::printf("server: nobody waits for %s any more\n", request.name().c_str());
      std::fflush(stdout);
      co_return Status(StatusCode::cancelled, "nobody waits");
    }
    co_return greet::HelloReply();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService greeter;
  nearcall::Health health;
  health.set(greet::Greeter::full_name, nearcall::ServingStatus::serving);
  nearcall::Server server;
  server.add_service(greeter).add_service(health);
  nearcall::add_reflection(server);
  // 0600, same user only; a stale socket file is replaced
  const auto listening = server.try_listen(argv[1]);
  if (!listening) return report(listening.error());
  for (const std::string& address : server.addresses()) {
    std::printf("listening on %s\n", address.c_str());
    std::fflush(stdout);
  }
  return server.run();  // until SIGINT or SIGTERM, then drains
}
