// SPDX-License-Identifier: Apache-2.0
// Handlers that block: ordinary functions, on threads of a pool, beside the server's loop.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>
#include <nearcall/thread_pool.hpp>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

using namespace std::chrono_literals;

class GreeterService final : public greet::Greeter::BlockingService {
  Result<greet::HelloReply> SayHello(ServerContext& /*call*/,
                                     const greet::HelloRequest& request) override {
    std::error_code error;
    const auto size = std::filesystem::file_size(request.name(), error);  // it may block
    if (error) return Status::not_found(request.name() + ": " + error.message());
    greet::HelloReply reply;
    reply.set_message(std::to_string(size) + " bytes");
    return reply;
  }

  Status Repeat(ServerContext& call,
                const greet::RepeatRequest& request,
                BlockingWriter<greet::HelloReply>& replies) override {
    greet::HelloReply reply;
    reply.set_message("Hello " + request.name());
    for (std::uint32_t i = 0; i < request.times() && !call.is_cancelled(); ++i) {
      if (!replies.write(reply)) break;  // nobody waits for more
      std::this_thread::sleep_for(1ms);  // or whatever takes its time
    }
    return Status();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::ThreadPool pool(/*max_threads=*/4, /*max_queued=*/100);  // outlives the server
  GreeterService service;
  nearcall::Server server(nearcall::ServerOptions().handler_pool(pool));
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::Channel channel(argv[1]);
  const greet::Greeter::Client greeter(channel);
  for (const char* name : {"/proc/self/exe", "/nowhere"}) {
    greet::HelloRequest request;
    request.set_name(name);
    const nearcall::Result<greet::HelloReply> reply =
        greeter.SayHello(request, nearcall::CallOptions().timeout(5s));
    std::printf("%s: %s\n", name,
                reply ? reply->message().c_str() : reply.error().to_string().c_str());
  }
  greet::RepeatRequest request;
  request.set_name("Ada");
  request.set_times(3);
  auto repeats = greeter.Repeat(request, nearcall::CallOptions().timeout(5s));
  while (const auto reply = repeats.read())
    std::printf("%s\n", reply->message().c_str());
  return 0;
}
