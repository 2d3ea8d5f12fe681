// SPDX-License-Identifier: Apache-2.0
// Who is calling: what the kernel says of a peer, asked by the listener and by a handler.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <unistd.h>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using nearcall::PeerIdentity;
using nearcall::PeerPolicy;
using nearcall::StatusCode;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call, greet::HelloRequest) override {
    const PeerIdentity& peer = call.peer();
    if (peer.uid() != ::geteuid()) {  // stricter than the listener, for this method
      co_return Status(StatusCode::permission_denied, "not for " + peer.to_string());
    }
    greet::HelloReply reply;
    reply.set_message("you are uid " + std::to_string(peer.uid()) + ", pid " +
                      std::to_string(peer.pid()));
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const PeerPolicy policy = PeerPolicy::same_user_or_root();  // the default of a Unix socket
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1], policy);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);
  const auto reply = greeter.SayHello(greet::HelloRequest(), nearcall::CallOptions().timeout(5s));
  if (!reply) return report(reply.status());
  std::printf("%s\n", reply->message().c_str());

  const PeerIdentity stranger("unix:", ::geteuid() + 1, ::getegid(), /*pid=*/1);
  std::printf("admits strangers: %s\n", policy.admits(stranger) ? "yes" : "no");
  return 0;
}
