// SPDX-License-Identifier: Apache-2.0
// Runs what docs/coming-from-grpcpp.md and docs/coming-from-dotnet.md show: three servers, and
// their clients.
#include "coming_from.hpp"
#include "program.hpp"

#include <nearcall/health.hpp>
#include <nearcall/metrics.hpp>
#include <nearcall/reflection.hpp>

#include <cstdio>
#include <memory>

using namespace std::chrono_literals;
using nearcall::Channel;
using nearcall::Status;

static Status show_all(const std::string& target) {
  const Channel channel(target, coming_from::channel_options());
  if (Status status = coming_from::show_states(target); !status.ok()) return status;
  if (Status status = coming_from::show_blocking_calls(channel); !status.ok()) return status;
  if (Status status = coming_from::show_callbacks(Channel("inproc:relay")); !status.ok())
    return status;
  if (Status status = coming_from::show_several(target); !status.ok()) return status;
  const Channel blocking("inproc:blocking");
  if (Status status = nearcall::sync_wait(coming_from::show_awaited_calls(blocking)); !status.ok())
    return status;
  return coming_from::show_ends(blocking);
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::ThreadPool pool(/*max_threads=*/4, /*max_queued=*/100);

  coming_from::AwaitingGreeter awaiting;
  nearcall::Health health;
  const auto metrics = std::make_shared<nearcall::Metrics>();
  nearcall::Server server(coming_from::server_options(pool).observer(metrics));
  server.add_service(awaiting);
  server.add_service(health);
  health.set("greet.Greeter", nearcall::ServingStatus::serving);
  nearcall::add_reflection(server);
  nearcall::add_metrics(server, metrics);
  if (const auto listening = coming_from::listen(server, argv[1]); !listening)
    return report(listening.error());
  server.listen("inproc:greeter");

  coming_from::BlockingGreeter blocking;
  nearcall::Server plain(nearcall::ServerOptions().handler_pool(pool));
  plain.add_service(blocking).listen("inproc:blocking");

  coming_from::Relay relay{greet::Greeter::Client(Channel("inproc:greeter"))};
  nearcall::Server middle;
  middle.add_service(relay).listen("inproc:relay");

  for (nearcall::Server* each : {&server, &plain, &middle})
    if (const auto started = each->start(); !started) return report(started.error());

  const Status status = show_all(argv[1]);
  health.set("", nearcall::ServingStatus::not_serving);
  server.stop();
  server.wait();
  return status.ok() ? 0 : report(status);
}
