// SPDX-License-Identifier: Apache-2.0
// The server: a program that greets over the socket it finds at its standard input.
#include "greet.nearcall.hpp"
#include "plugin_transport.hpp"

#include <nearcall/server.hpp>

#include <string>

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name() + ", from plugin " + std::to_string(::getpid()));
    co_return reply;
  }
};

int main() {
  GreeterService greeter;
  nearcall::Server server;
  server.add_service(greeter);
  server.listen(
      std::make_unique<plugin_transport::StdinListener>(STDIN_FILENO, [&] { server.stop(); }));
  return server.run();
}
