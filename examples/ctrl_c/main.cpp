// SPDX-License-Identifier: Apache-2.0
// Signals: one cancels a call that blocks, one stops a server on a loop of the program's own.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/signals.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/wait.hpp>
#include <nearcall/when.hpp>

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest) override {
    ::kill(::getpid(), SIGINT);  // somebody presses Ctrl-C
    co_await nearcall::sleep_for(10s, call.cancellation());
    co_return Status::cancelled("nobody waits any more");
  }
};

Task<> stop_on_signal(nearcall::Server& server, nearcall::EventLoop& loop) {
  const int number = co_await nearcall::wait_signal(SIGTERM, SIGHUP);
  std::printf("signal %d: the server stops\n", number);
  server.stop();
  co_await server.stopped();
  loop.stop();
}

nearcall::Canceller* on_interrupt = nullptr;
extern "C" void interrupted(int /*number*/) {
  on_interrupt->cancel();
}

Task<nearcall::Result<greet::HelloReply>> ask(greet::Greeter::Client& greeter) {
  auto call = greeter.SayHelloSlowlyAsync(greet::HelloRequest(), CallOptions().timeout(30s));
  co_return co_await call;
}

Task<> ask_until_interrupted(greet::Greeter::Client& greeter) {
  auto first = nearcall::when_any(ask(greeter), nearcall::wait_signal(SIGINT));
  const auto outcome = co_await std::move(first);
  if (outcome.index() == 1) std::printf("nobody answered in time\n");
}

void call_until_interrupted(const char* target) {
  nearcall::Canceller canceller;
  on_interrupt = &canceller;
  ::signal(SIGINT, interrupted);
  nearcall::Channel channel(target);
  greet::Greeter::Client greeter(channel);
  const auto reply = greeter.SayHelloSlowly(
      greet::HelloRequest(), CallOptions().timeout(30s).cancellation(canceller.token()));
  ::signal(SIGINT, SIG_DFL);
  std::printf("the call: %s\n", reply.status().to_string().c_str());
  nearcall::sync_wait(ask_until_interrupted(greeter));
  ::kill(::getpid(), SIGTERM);  // as a service manager does
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::EventLoop loop;
  nearcall::Server server(loop);
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());
  std::jthread client(call_until_interrupted, argv[1]);
  nearcall::TaskScope scope(loop);  // last: what waits goes before what it refers to
  scope.spawn(stop_on_signal(server, loop));
  loop.run();
  return 0;
}
