// SPDX-License-Identifier: Apache-2.0
// A daemon as systemd likes it: says when it is ready, alive, reloading and stopping.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/server.hpp>
#include <nearcall/service_manager.hpp>
#include <nearcall/signals.hpp>
#include <nearcall/task_scope.hpp>
#include <nearcall/wait.hpp>

#include <signal.h>

#include <chrono>
#include <cstdio>
#include <string_view>

using nearcall::Task;
namespace service_manager = nearcall::service_manager;

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext&, greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
};

/// False is no failure: nobody wants to hear.
void log_failure(const nearcall::Result<bool>& told) {
  if (!told) std::fprintf(stderr, "the service manager: %s\n", told.error().to_string().c_str());
}

/// For as long as the loop goes round.
Task<> tell_alive(std::chrono::microseconds interval) {
  while (true) {
    log_failure(service_manager::notify_alive());
    co_await nearcall::sleep_for(interval / 2);
  }
}

Task<> reload_on_signal(nearcall::SignalSet& hangups) {
  while (true) {
    co_await hangups.wait();
    log_failure(service_manager::notify_reloading());
    // Here the configuration is read again.
    log_failure(service_manager::notify_ready());
  }
}

Task<> stop_on_signal(nearcall::SignalSet& ends,
                      nearcall::Server& server,
                      nearcall::EventLoop& loop) {
  co_await ends.wait();
  log_failure(service_manager::notify_stopping());
  server.stop();
  co_await server.stopped();
  loop.stop();
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0], "unix:PATH | systemd:");
  GreeterService service;
  nearcall::EventLoop loop;
  nearcall::Server server(loop);
  nearcall::ListenOptions options(nearcall::PeerPolicy::by_file_mode());
  options.keep_in_store(std::string_view(argv[1]).starts_with("unix:"));  // systemd's stays anyway
  server.add_service(service).listen(argv[1], options);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::SignalSet hangups(SIGHUP);  // taken from here on, so before it is ready
  nearcall::SignalSet ends(SIGTERM, SIGINT);
  nearcall::TaskScope scope(loop);  // last: what waits goes before what it refers to
  scope.spawn(reload_on_signal(hangups));
  scope.spawn(stop_on_signal(ends, server, loop));
  if (const auto interval = service_manager::watchdog_interval())
    scope.spawn(tell_alive(*interval));
  log_failure(service_manager::notify_ready());
  loop.run();
  return 0;
}
