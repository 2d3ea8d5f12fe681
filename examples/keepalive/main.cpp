// SPDX-License-Identifier: Apache-2.0
// Who asks whether the other side is still there, and how long a connection may live.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::ConnectionLimits limits;
  limits.min_ping_interval = 20s;  // clients ask every 30 s
  nearcall::Server server(nearcall::ServerOptions()
                              .limits(limits)
                              .keepalive_time(1min)
                              .keepalive_timeout(10s)
                              .max_connection_idle(1h)
                              .max_connection_age(24h)
                              .max_connection_age_grace(5min));
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::Channel channel(argv[1],
                            nearcall::ChannelOptions().keepalive_time(30s).keepalive_timeout(10s));
  greet::HelloRequest request;
  request.set_name("over there");
  const auto reply =
      greet::Greeter::Client(channel).SayHello(request, nearcall::CallOptions().timeout(5s));
  if (!reply) return report(reply.status());
  std::printf("%s\n", reply->message().c_str());
  return 0;
}
