// SPDX-License-Identifier: Apache-2.0
// The client: starts the plugin when it first calls it; a call that blocks, and an awaited one.
#include "greet.nearcall.hpp"
#include "plugin_transport.hpp"

#include <nearcall/channel.hpp>

#include <csignal>
#include <cstdio>

using nearcall::Result;

bool show(const Result<greet::HelloReply>& reply) {
  std::printf("%s\n", reply ? reply->message().c_str() : reply.status().to_string().c_str());
  return reply.ok();
}

nearcall::Task<bool> greet_awaited(greet::Greeter::Client& greeter) {
  greet::HelloRequest request;
  request.set_name("loop");
  const Result<greet::HelloReply> reply = co_await greeter.SayHelloAsync(request);
  co_return show(reply);
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::signal(SIGCHLD, SIG_IGN);  // plugins that have ended leave no zombies
  const std::string program = argv[1];
  const auto connect = [program](nearcall::ConnectContext context) {
    return plugin_transport::start(program, std::move(context));
  };
  nearcall::Channel channel("http://localhost",
                            nearcall::ChannelOptions().connect_callback(connect));
  greet::Greeter::Client greeter(channel);

  greet::HelloRequest request;
  request.set_name("thread");
  const bool blocked = show(greeter.SayHello(request));
  const bool awaited = nearcall::sync_wait(greet_awaited(greeter));  // its loop's own plugin
  return blocked && awaited ? 0 : 1;
}
