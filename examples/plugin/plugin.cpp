// SPDX-License-Identifier: Apache-2.0
// A plug-in: serves the program that has started it, and ends with it.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/server.hpp>

#include <cstdio>
#include <cstdlib>

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    if (request.name() == "bug") std::_Exit(3);
    std::printf("the plug-in greets %s\n", request.name().c_str());  // where the host prints
    std::fflush(stdout);
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 1) return usage(argv[0], "");
  GreeterService greeter;
  nearcall::Server server;
  server.add_service(greeter);
  server.listen("inherited:");
  return server.run();  // until the host closes its channel, or ends
}
