// SPDX-License-Identifier: Apache-2.0
// Uses the golden code as its users would, at compile time: overrides, and the types of calls.
#include "deprecated.nearcall.hpp"
#include "greet.nearcall.hpp"
#include "names.nearcall.hpp"
#include "no_package.nearcall.hpp"
#include "no_services.nearcall.hpp"
#include "shapes/deep/draw.nearcall.hpp"

#include <string_view>
#include <type_traits>
#include <utility>

namespace {

using greet::Greeter;
using greet::HelloReply;
using greet::HelloRequest;
using nearcall::CallOptions;

/// Every name that a handler needs is there without a `using`.
class GreeterService final : public Greeter::Service {
  Task<Result<HelloReply>> SayHello(ServerContext& call, HelloRequest request) override {
    if (call.is_cancelled()) co_return Status(StatusCode::cancelled, "nobody waits");
    HelloReply reply;
    reply.set_message("Hello " + request.name());
    co_return reply;
  }
  Task<Status> List(ServerContext& /*call*/,
                    HelloRequest request,
                    ServerWriter<HelloReply>& replies) override {
    HelloReply reply;
    reply.set_message(request.name());
    const bool is_taken = co_await replies.write(reply);
    co_return is_taken ? Status() : Status(StatusCode::cancelled, "nobody reads");
  }
  Task<Result<HelloReply>> Collect(ServerContext& /*call*/,
                                   ServerReader<HelloRequest>& requests) override {
    HelloReply reply;
    HelloRequest request;
    while (co_await requests.read(request))
      reply.set_message(request.name());
    co_return reply;
  }
  Task<Status> Chat(ServerContext& /*call*/,
                    ServerReader<HelloRequest>& requests,
                    ServerWriter<HelloReply>& replies) override {
    HelloRequest request;
    HelloReply reply;
    while (co_await requests.read(request))
      co_await replies.write(reply);
    co_return Status();
  }
};

/// The same of functions that may block.
class GreeterFunctions final : public Greeter::BlockingService {
  Result<HelloReply> SayHello(ServerContext& call, const HelloRequest& request) override {
    if (call.is_cancelled()) return Status::cancelled("nobody waits");
    HelloReply reply;
    reply.set_message("Hello " + request.name());
    return reply;
  }
  Status List(ServerContext& /*call*/,
              const HelloRequest& request,
              BlockingWriter<HelloReply>& replies) override {
    HelloReply reply;
    reply.set_message(request.name());
    return replies.write(reply) ? Status() : Status::cancelled("nobody reads");
  }
  Result<HelloReply> Collect(ServerContext& /*call*/,
                             BlockingReader<HelloRequest>& requests) override {
    HelloReply reply;
    while (const auto request = requests.read())
      reply.set_message(request->name());
    return reply;
  }
  Status Chat(ServerContext& /*call*/,
              BlockingReader<HelloRequest>& requests,
              BlockingWriter<HelloReply>& replies) override {
    HelloRequest request;
    while (requests.read(request)) {
      if (!replies.write(HelloReply())) break;
    }
    return Status();
  }
};

/// A method that is deprecated is still overridden without a warning.
class MixedService final : public deprecated::Mixed::Service {
  Task<Result<deprecated::Fresh>> Gone(ServerContext& /*call*/,
                                       deprecated::Fresh request) override {
    co_return request;
  }
};

namespace names = keywords::nearcall::names;

/// Methods that are called like the names that handlers are declared with: then these are written
/// in full.
class NamesFunctions final : public names::Methods::BlockingService {
  nearcall::Status BlockingWriter(nearcall::ServerContext& /*call*/,
                                  const names::Task& request,
                                  nearcall::BlockingWriter<names::Task>& replies) override {
    return replies.write(request) ? nearcall::Status() : nearcall::Status::aborted("no");
  }
  nearcall::Result<names::Task> BlockingService_(nearcall::ServerContext& /*call*/,
                                                 const names::Task& request) override {
    return request;
  }
};
class NamesService final : public names::Methods::Service {
  nearcall::Task<nearcall::Result<names::Task>> Task(nearcall::ServerContext& /*call*/,
                                                     names::Outer_Inner /*request*/) override {
    co_return names::Task();
  }
  nearcall::Task<nearcall::Status> Result(nearcall::ServerContext& /*call*/,
                                          names::Task /*request*/,
                                          nearcall::ServerWriter<names::Result>& replies) override {
    const names::Result reply;
    co_await replies.write(reply);
    co_return nearcall::Status();
  }
  nearcall::Task<nearcall::Result<names::Status>> Status(
      nearcall::ServerContext& /*call*/,
      nearcall::ServerReader<names::Task>& /*requests*/) override {
    co_return nearcall::Status::aborted("no");
  }
  nearcall::Task<nearcall::Status> ServerContext(
      nearcall::ServerContext& /*call*/,
      nearcall::ServerReader<names::Task>& /*requests*/,
      nearcall::ServerWriter<names::ServerContext>& /*replies*/) override {
    co_return nearcall::Status();
  }
};

[[maybe_unused]] void check_call_types(const Greeter::Client& client,
                                       const HelloRequest& request,
                                       const CallOptions& options) {
  static_assert(
      std::is_same_v<decltype(client.SayHello(request, options)), nearcall::Result<HelloReply>>);
  static_assert(std::is_same_v<decltype(client.SayHelloAsync(request)),
                               nearcall::AsyncUnaryCall<HelloReply>>);
  static_assert(
      std::is_same_v<decltype(client.List(request)), nearcall::ServerStreamingCall<HelloReply>>);
  static_assert(std::is_same_v<decltype(client.ListAsync(request)),
                               nearcall::AsyncServerStreamingCall<HelloReply>>);
  static_assert(std::is_same_v<decltype(client.Collect()),
                               nearcall::ClientStreamingCall<HelloRequest, HelloReply>>);
  static_assert(std::is_same_v<decltype(client.CollectAsync()),
                               nearcall::AsyncClientStreamingCall<HelloRequest, HelloReply>>);
  static_assert(std::is_same_v<decltype(client.Chat(options)),
                               nearcall::BidiStreamingCall<HelloRequest, HelloReply>>);
  static_assert(std::is_same_v<decltype(client.ChatAsync()),
                               nearcall::AsyncBidiStreamingCall<HelloRequest, HelloReply>>);
}

static_assert(Greeter::full_name == std::string_view("greet.Greeter"));
static_assert(!std::is_default_constructible_v<Greeter>);
static_assert(std::is_copy_constructible_v<Greeter::Client>);
static_assert(std::is_final_v<GreeterService> && !std::is_abstract_v<GreeterService>);
static_assert(!std::is_abstract_v<MixedService>);
static_assert(!std::is_abstract_v<GreeterFunctions> && !std::is_abstract_v<NamesFunctions>);

static_assert(!std::is_abstract_v<NamesService>);
static_assert(std::is_same_v<decltype(std::declval<names::Methods::Client>().StatusAsync()),
                             nearcall::AsyncClientStreamingCall<names::Task, names::Status>>);
static_assert(names::Service_::full_name == std::string_view("keywords.nearcall.names.Service"));
static_assert(names::BlockingService_::full_name ==
              std::string_view("keywords.nearcall.names.BlockingService"));
static_assert(std::is_same_v<decltype(std::declval<names::Methods::Client>().GetAsync({}, {})),
                             nearcall::AsyncUnaryCall<names::Task>>);
static_assert(std::is_same_v<decltype(std::declval<names::Methods::Client>().GetAsync_({}, {})),
                             nearcall::Result<names::Task>>);
static_assert(nearcall_::full_name == std::string_view("nearcall"));

}  // namespace
