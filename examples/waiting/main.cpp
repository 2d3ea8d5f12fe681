// SPDX-License-Identifier: Apache-2.0
// A call that waits for a server which comes later, and a program that learns when it has gone.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <chrono>
#include <cstdio>
#include <stop_token>
#include <thread>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::ConnectivityState;
using nearcall::Result;
using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

/// A server that is not there yet when it is called.
void serve_later(const char* target, const std::stop_token& stop) {
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(target);
  if (const auto started = server.start(); !started) {
    report(started.status());
    return;
  }
  while (!stop.stop_requested())
    std::this_thread::sleep_for(1ms);
  server.stop();
  server.wait();
}

greet::HelloRequest named(const char* name) {
  greet::HelloRequest request;
  request.set_name(name);
  return request;
}

int watch_until_gone(const nearcall::Channel& channel) {
  const auto soon = std::chrono::steady_clock::now() + 10s;
  if (!channel.wait_for_state_change(ConnectivityState::ready, soon)) return 1;
  std::printf("the server has gone\n");
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const char* const target = argv[1];
  nearcall::Channel channel(target);
  greet::Greeter::Client greeter(channel);

  const auto impatient = greeter.SayHello(named("nobody"), CallOptions().timeout(10s));
  if (impatient.ok()) return 1;
  if (impatient.status().reason() == nearcall::StatusReason::bad_target) {
    return report(impatient.status());
  }
  std::printf("without waiting: %s\n", to_string(impatient.status().code()).data());

  std::jthread server([target](const std::stop_token& stop) { serve_later(target, stop); });

  const auto patient = CallOptions().timeout(10s).wait_for_ready();
  const Result<greet::HelloReply> reply = greeter.SayHello(named("later"), patient);
  if (!reply) return report(reply.status());
  std::printf("%s; the channel is %s\n", reply->message().c_str(),
              to_string(channel.state()).data());

  server.request_stop();
  return watch_until_gone(channel);
}
