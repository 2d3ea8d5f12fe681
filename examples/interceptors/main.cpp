// SPDX-License-Identifier: Apache-2.0
// Interceptors: a token that every call brings and the server wants, a request id, and log lines.
#include "greet.nearcall.hpp"
#include "program.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client_interceptor.hpp>
#include <nearcall/server.hpp>
#include <nearcall/server_interceptor.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

using nearcall::IncomingCall;
using nearcall::OutgoingCall;
using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

/// Gives each call the token.
class AuthToken final : public nearcall::ClientInterceptor {
 public:
  explicit AuthToken(std::string token) : token_(std::move(token)) {}

  Task<Status> intercept(OutgoingCall& call) override {
    if (Result<void> added = call.metadata().add("authorization", token_); !added)
      co_return added.error();
    Status status = co_await call.proceed();
    co_return status;
  }

 private:
  std::string token_;
};

/// Gives each call a number of its own, unless it has one.
class RequestId final : public nearcall::ClientInterceptor {
  Task<Status> intercept(OutgoingCall& call) override {
    if (!call.metadata().get("request-id"))
      static_cast<void>(call.metadata().add("request-id", std::to_string(++last_)));
    Status status = co_await call.proceed();
    co_return status;
  }

  std::atomic<int> last_{0};
};

/// Lets nobody in who has not the token.
class RequireToken final : public nearcall::ServerInterceptor {
 public:
  explicit RequireToken(std::string token) : token_(std::move(token)) {}

  Task<Status> intercept(IncomingCall& call) override {
    if (call.metadata().get("authorization") != token_)
      co_return Status::unauthenticated("the token is missing or wrong");
    Status status = co_await call.proceed();
    co_return status;
  }

 private:
  std::string token_;
};

/// A line for each call: which, how it ended, and how long it took.
class LogLine final : public nearcall::ServerInterceptor {
  Task<Status> intercept(IncomingCall& call) override {
    const auto begin = std::chrono::steady_clock::now();
    const std::string id(call.metadata().get("request-id").value_or("-"));
    call.context().add_header("request-id", id);
    Status status = co_await call.proceed();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    const std::string method(call.method());
    std::printf("%s %s: %s (%.1f ms)\n", id.c_str(), method.c_str(), status.to_string().c_str(),
                took.count());
    co_return status;
  }
};

class GreeterService final : public greet::Greeter::Service {
  Task<Result<greet::HelloReply>> SayHello(ServerContext& /*call*/,
                                           greet::HelloRequest request) override {
    greet::HelloReply reply;
    reply.set_message("hello " + request.name());
    co_return reply;
  }
};

int main(int argc, char** argv) {
  if (argc != 2) return usage(argv[0]);
  GreeterService service;
  nearcall::ServerOptions server_options;
  server_options.interceptor(std::make_shared<LogLine>());
  server_options.interceptor(std::make_shared<RequireToken>("secret"));
  nearcall::Server server(server_options);
  server.add_service(service).listen(argv[1]);
  if (const auto started = server.start(); !started) return report(started.error());

  nearcall::ChannelOptions options;
  options.interceptor(std::make_shared<RequestId>());
  options.interceptor(std::make_shared<AuthToken>("secret"));
  const greet::Greeter::Client friendly(nearcall::Channel(argv[1], options));
  const greet::Greeter::Client stranger((nearcall::Channel(argv[1])));

  greet::HelloRequest request;
  request.set_name("you");
  const Result<greet::HelloReply> reply = friendly.SayHello(request);
  if (!reply) return report(reply.status());
  const Status refused = stranger.SayHello(request).status();
  server.stop();
  server.wait();
  std::printf("%s; the stranger: %s\n", reply->message().c_str(), refused.to_string().c_str());
  return refused.code() == nearcall::StatusCode::unauthenticated ? 0 : report(refused);
}
