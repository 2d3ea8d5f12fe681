// SPDX-License-Identifier: Apache-2.0
// A host that starts itself as its plugin, and calls it.
#include "greet.nearcall.hpp"
#include "plugin_transport.hpp"
#include "program.hpp"

#include <csignal>
#include <cstdio>

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest) override {
    greet::HelloReply reply;
    reply.set_message("Hello from process " + std::to_string(::getpid()));
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "plugin") {
    GreeterService greeter;
    nearcall::Server server;
    server.add_service(greeter).listen(std::make_unique<plugin::FdListener>(STDIN_FILENO, server),
                                       nearcall::untrusted::anyone());
    return server.run();
  }
  if (argc != 1) return usage(argv[0], "");
  std::signal(SIGCHLD, SIG_IGN);  // a plugin that has ended leaves no zombie
  nearcall::Channel channel("http://localhost",
                            nearcall::ChannelOptions().connector(plugin::start));
  greet::Greeter::Client greeter(channel);
  const auto reply = greeter.SayHello({}, nearcall::CallOptions().timeout(std::chrono::seconds(5)));
  if (!reply) return report(reply.status());
  std::puts(reply->message().c_str());
}
