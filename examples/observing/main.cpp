// SPDX-License-Identifier: Apache-2.0
// Observing: metrics as Prometheus wants them, a line for each call, and one trace through two
// servers.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/metrics.hpp>
#include <nearcall/observer.hpp>
#include <nearcall/server.hpp>
#include <nearcall/trace_context.hpp>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

using nearcall::Observer;
using nearcall::Result;
using nearcall::TraceContext;

/// A line for each call of a server: which trace it belongs to, how it ended, and what it took.
class CallLine final : public Observer {
 public:
  explicit CallLine(std::string server) : server_(std::move(server)) {}

  void on_call_ended(const Call& call, const nearcall::Status& how) noexcept override {
    const std::optional<TraceContext> trace = TraceContext::from(call.metadata);
    const std::chrono::duration<double, std::milli> took = call.ended - call.begun;
    std::printf("%s: trace %s: %s %s, %llu bytes in, %llu out, %.1f ms\n", server_.c_str(),
                trace ? trace->trace_id().c_str() : "-", call.method.path, how.to_string().c_str(),
                static_cast<unsigned long long>(call.received.compressed_size),
                static_cast<unsigned long long>(call.sent.compressed_size), took.count());
  }

 private:
  const std::string server_;
};

/// Greets.
class Back final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& /*call*/,
                                           greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

/// Has the other server greet, in the same trace.
class Front final : public greet::Greeter::Service {
 public:
  explicit Front(const nearcall::Channel& back) : back_(back) {}

 private:
  Task<Result<greet::HelloReply>> SayHello(ServerContext& call,
                                           greet::HelloRequest request) override {
    auto greeting = back_.SayHelloAsync(request, nearcall::CallOptions(call));
    Result<greet::HelloReply> reply = co_await greeting;
    co_return reply;
  }

  const greet::Greeter::Client back_;
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  const std::string front_target = argv[1];
  const std::string back_target = front_target + ".back";
  const auto metrics = std::make_shared<nearcall::Metrics>();

  nearcall::ServerOptions of_back;
  of_back.observer(std::make_shared<CallLine>("back"));
  nearcall::Server back(of_back);
  back.add_service(std::make_shared<Back>()).listen(back_target);
  if (const auto started = back.start(); !started) return report(started.error());

  const nearcall::Channel to_back(back_target, nearcall::ChannelOptions().observer(metrics));
  nearcall::ServerOptions of_front;
  of_front.observer(std::make_shared<CallLine>("front")).observer(metrics);
  nearcall::Server front(of_front);
  front.add_service(std::make_shared<Front>(to_back));
  nearcall::add_metrics(front, metrics);
  front.listen(front_target);
  if (const auto started = front.start(); !started) return report(started.error());

  const nearcall::Channel channel(front_target);
  const greet::Greeter::Client greeter(channel);
  greet::HelloRequest request;
  request.set_name("you");
  const auto reply =
      greeter.SayHello(request, nearcall::CallOptions().trace(TraceContext::start()));
  if (!reply) return report(reply.status());
  const Result<std::string> text = nearcall::get_metrics(channel);
  if (!text) return report(text.error());
  for (nearcall::Server* const server : {&front, &back}) {
    server->stop();
    server->wait();
  }
  std::printf("%s\n%s", reply->message().c_str(), text->c_str());
  return 0;
}
