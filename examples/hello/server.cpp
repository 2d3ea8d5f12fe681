// SPDX-License-Identifier: Apache-2.0
// The smallest server: one method, on a Unix domain socket.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/server.hpp>

#include <cstdio>
#include <string>

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name() + ", uid " + std::to_string(call.peer().uid()));
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService greeter;
  nearcall::Server server;
  server.add_service(greeter);
  const auto listening = server.try_listen(argv[1]);  // 0600: for this user, and root
  if (!listening) return report(listening.error());
  std::printf("listening on %s\n", argv[1]);
  std::fflush(stdout);
  return server.run();  // until SIGINT or SIGTERM, then drains
}
