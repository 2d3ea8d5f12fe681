// SPDX-License-Identifier: Apache-2.0
// A socket for the members of a group, as a daemon has it, and one for parts of the same program.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

using namespace std::chrono_literals;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call, greet::HelloRequest) override {
    greet::HelloReply reply;
    reply.set_message(call.peer().is_own() ? "a part of this program" : "a member is let in");
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const std::string_view target = argv[1];
  const gid_t group = getgid();
  GreeterService service;
  nearcall::Server server;
  server.add_service(service);
  server.listen(
      target, nearcall::ListenOptions(nearcall::PeerPolicy::group(group)).mode(0660).group(group));
  server.listen("inproc:greeter");  // another listener, of another kind, with a policy of its own
  if (const auto started = server.start(); !started) return report(started.error());

  struct stat file = {};
  if (stat(argv[1] + std::string_view("unix:").size(), &file) != 0) {
    std::perror("the socket");
    return 1;
  }
  std::printf("mode %o, group %s\n", file.st_mode & 0777U,
              file.st_gid == group ? "ours" : "not ours");

  for (const std::string_view address : {target, std::string_view("inproc:greeter")}) {
    nearcall::Channel channel(address);
    const auto reply = greet::Greeter::Client(channel).SayHello(
        greet::HelloRequest(), nearcall::CallOptions().timeout(5s));
    if (!reply) return report(reply.status());
    std::printf("%s\n", reply->message().c_str());
  }
  return 0;
}
