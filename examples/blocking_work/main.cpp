// SPDX-License-Identifier: Apache-2.0
// A handler whose work blocks: on a pool's thread, so that the server's loop goes on with the rest.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>
#include <nearcall/thread_pool.hpp>

#include <cstdio>
#include <filesystem>
#include <string>

using namespace std::chrono_literals;

class GreeterService final : public greet::Greeter::Service {
 public:
  explicit GreeterService(nearcall::ThreadPool& pool) : pool_(pool) {}

 private:
  Task<Result<greet::HelloReply>> SayHello(ServerContext& /*call*/,
                                           greet::HelloRequest request) override {
    co_await nearcall::resume_on(pool_);
    std::error_code error;  // from here on the handler may block
    const auto size = std::filesystem::file_size(request.name(), error);
    if (error) co_return Status::not_found(request.name() + ": " + error.message());
    greet::HelloReply reply;
    reply.set_message(std::to_string(size) + " bytes");
    co_return reply;  // from the loop: the handler is brought back when it ends
  }

  nearcall::ThreadPool& pool_;
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  nearcall::ThreadPool pool(4);  // outlives the server, whose handlers are on it
  GreeterService service(pool);
  nearcall::Server server;
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
  return 0;
}
