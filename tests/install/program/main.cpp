// SPDX-License-Identifier: Apache-2.0
// What each consumer builds: a server on a thread of its own, and one call to it.
#include "greet.nearcall.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>
#include <filesystem>
#include <string>

namespace {

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& /*call*/,
                                           greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
};

int greet_over(const std::string& target) {
  GreeterService service;
  nearcall::Server server;
  server.add_service(service);
  server.listen(target);
  if (const auto started = server.start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message().c_str());
    return 1;
  }
  nearcall::Channel channel(target);
  const greet::Greeter::Client greeter(channel);
  greet::HelloRequest request;
  request.set_name("consumer");
  const nearcall::Result<greet::HelloReply> reply = greeter.SayHello(request);
  const std::string said = reply ? reply->message() : reply.error().message();
  std::puts(said.c_str());
  server.stop();
  server.wait();
  return said == "Hello consumer" ? 0 : 1;
}

}  // namespace

int main() {
  std::string folder = (std::filesystem::temp_directory_path() / "nearcall-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  const int result = greet_over("unix:" + folder + "/greet.sock");
  std::filesystem::remove_all(folder);
  return result;
}
