// SPDX-License-Identifier: Apache-2.0
// The calls: with a callback, awaited, and of a stream.
#include "guest.hpp"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <utility>

using namespace std::chrono_literals;
using nearcall::CallOptions;
using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

Task<Result<greet::HelloReply>> GreeterService::SayHello(ServerContext&,
                                                         greet::HelloRequest request) {
  greet::HelloReply reply;
  reply.set_message("hello " + request.name());
  co_return reply;
}

Task<Status> GreeterService::Repeat(ServerContext&,
                                    greet::RepeatRequest request,
                                    ServerWriter<greet::HelloReply>& replies) {
  greet::HelloReply reply;
  for (std::uint32_t i = 1; i <= request.times(); ++i) {
    reply.set_message("hello " + request.name() + " " + std::to_string(i));
    if (!co_await replies.write(reply)) break;
  }
  co_return Status();
}

Task<Result<greet::HelloReply>> GreeterService::SayHelloSlowly(ServerContext& call,
                                                               greet::HelloRequest) {
  co_await call.until_ending();
  co_return Status::cancelled("nobody waits");
}

int count_threads() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<int>(std::distance(begin(threads), end(threads)));
}

Guest::Guest(nearcall::EventLoop& loop, const char* target)
    : server_(loop), channel_(target), greeter_(channel_), scope_(loop) {
  server_.add_service(service_).listen(target);
}

Result<void> Guest::start_server() {
  return server_.start();
}

void Guest::call(std::function<void()> on_end) {
  on_end_ = std::move(on_end);
  greet::HelloRequest request;
  request.set_name("Ada");
  greeter_.SayHelloAsync(request, CallOptions().timeout(5s))
      .on_done([this](const Result<greet::HelloReply>& reply) {
        show(reply);
        end_call();
      });
  request.set_name("Grace");
  scope_.spawn(read_answers(greeter_.SayHelloAsync(request, CallOptions().timeout(5s))));
}

Task<> Guest::read_answers(HelloCall call) {
  const auto answer = co_await call;
  show(answer);

  greet::RepeatRequest request;
  request.set_name("Linus");
  request.set_times(2);
  auto stream = greeter_.RepeatAsync(request, CallOptions().timeout(5s));
  greet::HelloReply reply;
  while (co_await stream.read(reply)) {
    show(reply);
  }
  end_call();
}

void Guest::show(const Result<greet::HelloReply>& reply) {
  const std::string text = reply ? reply->message() : reply.error().to_string();
  std::printf("%s\n", text.c_str());
  shown_.insert(text);
}

void Guest::end_call() {
  if (--open_calls_ == 0) on_end_();
}

int Guest::exit_status() const {
  const std::set<std::string> wanted{"hello Ada", "hello Grace", "hello Linus 1", "hello Linus 2"};
  return shown_ == wanted && count_threads() == threads_ ? 0 : 1;
}
