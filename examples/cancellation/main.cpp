// SPDX-License-Identifier: Apache-2.0
// Cancelling a call that blocks, from another thread, and one that is awaited; handlers hear of it.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>

#include <cstdio>
#include <semaphore>
#include <thread>

using namespace std::chrono_literals;
using nearcall::CallEnding;
using nearcall::CallOptions;
using nearcall::Status;
using nearcall::StatusCode;
using nearcall::Task;

class GreeterService final : public greet::Greeter::Service {
 public:
  std::counting_semaphore<> started{0};

 private:
  Task<Result<greet::HelloReply>> SayHelloSlowly(ServerContext& call,
                                                 greet::HelloRequest) override {
    started.release();
    const CallEnding why = co_await call.until_ending();  // of the call, or of the server
    if (why == CallEnding::cancelled) std::printf("the handler was told\n");
    co_return Status(StatusCode::cancelled, "nobody waits any more");
  }
};

Task<Status> start_and_cancel(greet::Greeter::Client& greeter) {
  auto call = greeter.SayHelloSlowlyAsync(greet::HelloRequest(), CallOptions().timeout(5s));
  call.cancel();  // dropping `call` would do it too
  const auto reply = co_await call;
  co_return reply.status();
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);

  std::stop_source stop;
  std::jthread user([&] { service.started.acquire(), stop.request_stop(); });
  const auto blocking = greeter.SayHelloSlowly(
      greet::HelloRequest(), CallOptions().timeout(5s).cancellation(stop.get_token()));
  const Status awaited = nearcall::sync_wait(start_and_cancel(greeter));
  server.stop();
  server.wait();
  std::printf("blocking: %s\n", blocking.status().to_string().c_str());
  std::printf("awaited: %s\n", awaited.to_string().c_str());
  return awaited.code() == StatusCode::cancelled ? 0 : report(awaited);
}
