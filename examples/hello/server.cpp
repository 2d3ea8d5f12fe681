// SPDX-License-Identifier: Apache-2.0
// The smallest server: one method, on a Unix domain socket.
#include "greet.nearcall.hpp"

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
  if (argc != 2) return 2;
  GreeterService greeter;
  nearcall::Server server;
  server.add_service(greeter);
  server.listen(argv[1]);  // 0600, same user only; a stale socket file is replaced
  std::printf("listening on %s\n", argv[1]);
  std::fflush(stdout);
  return server.run();  // until SIGINT or SIGTERM, then drains
}
