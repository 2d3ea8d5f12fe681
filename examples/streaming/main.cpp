// SPDX-License-Identifier: Apache-2.0
// A bidirectional call: one coroutine writes requests while another one reads replies.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>
#include <nearcall/task_scope.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::Status;
using nearcall::Task;
using Chat = nearcall::AsyncBidiStreamingCall<greet::HelloRequest, greet::HelloReply>;

class GreeterService final : public greet::Greeter::Service {
  Task<Status> Chat(ServerContext&,
                    ServerReader<greet::HelloRequest>& requests,
                    ServerWriter<greet::HelloReply>& replies) override {
    greet::HelloRequest request;
    greet::HelloReply reply;
    while (co_await requests.read(request)) {
      reply.set_message("Hello " + request.name());
      if (!co_await replies.write(reply)) break;  // waits while the client is too slow
    }
    co_return Status();
  }
};

Task<void> write_names(Chat& call) {
  greet::HelloRequest request;
  for (const char* name : {"one", "two", "three"}) {
    request.set_name(name);
    if (!co_await call.write(request)) co_return;  // the call is over
  }
  call.writes_done();
}

Task<Status> chat(greet::Greeter::Client& greeter) {
  Chat call = greeter.ChatAsync(nearcall::CallOptions().timeout(5s));
  nearcall::TaskScope scope;  // declared after the call: what it started ends before the call does
  scope.spawn(write_names(call));
  int total = 0;
  while (std::optional<greet::HelloReply> reply = co_await call.read()) {
    std::printf("%s\n", reply->message().c_str());
    ++total;
  }
  std::printf("total: %d\n", total);
  Status status = co_await call.finish();
  co_return status;
}

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::Server server;
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());
  nearcall::Channel channel(argv[1]);
  greet::Greeter::Client greeter(channel);
  const Status status = nearcall::sync_wait(chat(greeter));
  return status.ok() ? 0 : report(status);
}
