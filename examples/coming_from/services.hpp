// SPDX-License-Identifier: Apache-2.0
// Services for who comes from grpc++ or .NET: coroutines, ordinary functions, and one that calls
// another server.
#pragma once

#include "greet.nearcall.hpp"

#include <nearcall/call_options.hpp>
#include <nearcall/rich_status.hpp>

#include <google/rpc/error_details.pb.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace coming_from {

using greet::HelloReply;
using greet::HelloRequest;
using greet::RepeatRequest;

/// Coroutines, many at a time on the server's loop: grpc++'s callback services and completion
/// queues, and the services of ASP.NET.
class AwaitingGreeter final : public greet::Greeter::Service {
  Task<Result<HelloReply>> SayHello(ServerContext& call, HelloRequest request) override {
    if (request.name().empty()) co_return Status::invalid_argument("a name is missing");
    const std::string id(call.metadata().get("request-id").value_or("none"));
    call.add_header("request-id", id).add_trailer("served-by", "a coroutine");
    HelloReply reply;
    reply.set_message("Hello " + request.name() + " of uid " + std::to_string(call.peer().uid()));
    co_return reply;
  }

  Task<Result<HelloReply>> GreetAll(ServerContext&, ServerReader<HelloRequest>& requests) override {
    std::string names;
    while (const std::optional<HelloRequest> request = co_await requests.read())
      names += " " + request->name();
    HelloReply reply;
    reply.set_message("Hello" + names);
    co_return reply;
  }

  Task<Status> Repeat(ServerContext& call,
                      RepeatRequest request,
                      ServerWriter<HelloReply>& replies) override {
    call.set_compression(nearcall::Codec::gzip());
    HelloReply reply;
    reply.set_message("Hello " + request.name());
    for (unsigned i = 0; i < request.times(); ++i) {
      const bool is_taken = co_await replies.write(reply);
      if (!is_taken) break;  // nobody waits for more
    }
    co_return Status();
  }

  Task<Result<HelloReply>> SayHelloSlowly(ServerContext& call, HelloRequest) override {
    const bool has_slept =
        co_await nearcall::sleep_for(std::chrono::seconds(10), call.cancellation());
    if (!has_slept) co_return Status::cancelled("nobody waits");
    co_return HelloReply();
  }
};

/// Ordinary functions, each on a thread of a pool: grpc++'s synchronous services.
class BlockingGreeter final : public greet::Greeter::BlockingService {
  Result<HelloReply> SayHello(ServerContext&, const HelloRequest& request) override {
    if (request.name().empty()) {
      google::rpc::BadRequest bad;
      bad.add_field_violations()->set_field("name");
      return nearcall::RichStatus(StatusCode::invalid_argument, "bad request").add(bad).to_status();
    }
    HelloReply reply;
    reply.set_message("Hello " + request.name());
    return reply;
  }

  Status Chat(ServerContext& call,
              BlockingReader<HelloRequest>& requests,
              BlockingWriter<HelloReply>& replies) override {
    HelloRequest request;
    HelloReply reply;
    while (requests.read(request)) {
      reply.set_message("Hello " + request.name());
      if (!replies.write(reply)) break;
    }
    return call.is_cancelled() ? Status::cancelled("nobody waits") : Status();
  }

  Result<HelloReply> SayHelloSlowly(ServerContext& call, const HelloRequest&) override {
    while (!call.is_cancelled())
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // or whatever takes its time
    return Status::cancelled("nobody waits");
  }
};

/// Hands each call on to another server, with its deadline and its cancellation.
class Relay final : public greet::Greeter::Service {
 public:
  explicit Relay(greet::Greeter::Client next) : next_(std::move(next)) {}

 private:
  Task<Result<HelloReply>> SayHello(ServerContext& call, HelloRequest request) override {
    auto onward = next_.SayHelloAsync(request, nearcall::CallOptions(call, "request-id"));
    Result<HelloReply> reply = co_await onward;
    co_return reply;
  }

  greet::Greeter::Client next_;
};

}  // namespace coming_from
