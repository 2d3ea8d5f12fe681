// SPDX-License-Identifier: Apache-2.0
// How a channel is set up and watched, for who comes from grpc++ or .NET: one statement for each
// thing there.
#include "coming_from.hpp"

#include <nearcall/client_interceptor.hpp>
#include <nearcall/health.hpp>
#include <nearcall/observer.hpp>
#include <nearcall/picker.hpp>
#include <nearcall/reflection.hpp>
#include <nearcall/transport.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::Channel;
using nearcall::ChannelOptions;
using nearcall::Codec;
using nearcall::ConnectivityState;
using nearcall::Result;
using nearcall::Status;
using nearcall::Task;

namespace coming_from {

namespace {

/// Gives each call a token.
class AddToken final : public nearcall::ClientInterceptor {
  Task<Status> intercept(nearcall::OutgoingCall& call) override {
    const Result<void> added = call.metadata().add("authorization", "Bearer secret");
    if (!added) co_return added.error();
    Status status = co_await call.proceed();
    co_return status;
  }
};

/// A line for each connection that is lost.
class LogLosses final : public nearcall::Observer {
  void on_connection_ended(const Connection& connection,
                           nearcall::EndReason why) noexcept override {
    if (why != nearcall::EndReason::drained && why != nearcall::EndReason::cancelled)
      std::printf("%s: %s\n", connection.origin.target.c_str(), to_string(why).data());
  }
};

constexpr const char* service_config = R"({
  "methodConfig": [{
    "name": [{"service": "greet.Greeter", "method": "SayHello"}],
    "timeout": "5s",
    "waitForReady": true,
    "retryPolicy": {
      "maxAttempts": 3,
      "initialBackoff": "0.1s",
      "maxBackoff": "1s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE"]
    }
  }, {
    "name": [{"service": "greet.Greeter", "method": "GreetAll"}],
    "hedgingPolicy": {"maxAttempts": 2, "hedgingDelay": "1s"}
  }]
})";

}  // namespace

ChannelOptions channel_options() {
  ChannelOptions options;
  options.authority("greeter.example");
  options.max_connections(4);
  options.connect_timeout(2s);
  options.max_receive_message_size(16 * 1024 * 1024);
  options.max_send_message_size(16 * 1024 * 1024);
  options.compression(Codec::gzip());
  options.keepalive_time(1min).keepalive_timeout(10s).keepalive_without_calls(true);
  options.expect_server(nearcall::PeerPolicy::same_user_or_root());
  options.interceptor(std::make_shared<AddToken>());
  options.observer(std::make_shared<LogLosses>());
  options.max_call_retry_buffer(256 * 1024);
  options.service_config(service_config);
  if (!options.misuse().ok()) std::printf("%s\n", options.misuse().to_string().c_str());
  return options;
}

/// Connections of the program's own making; here what a target would have made.
static Result<Channel> connected_by_callback(const std::string& target) {
  Result<std::unique_ptr<nearcall::Connector>> made = nearcall::make_connector(target);
  if (!made) return made.error();
  const std::shared_ptr<nearcall::Connector> socket = std::move(*made);
  ChannelOptions options;
  options.connector(
      [socket](nearcall::ConnectContext context) { return socket->connect(std::move(context)); });
  return Channel("http://localhost", options);
}

/// Two servers that are alike, of which one is not there: its calls go to the other one.
Status show_several(const std::string& target) {
  ChannelOptions options;
  options.picker(nearcall::Picker::round_robin());
  const Channel several = Channel::to_any({target, "inproc:nobody"}, options);
  const greet::Greeter::Client greeter(several);
  RepeatRequest request;
  auto call = greeter.Repeat(request, nearcall::CallOptions().timeout(5s));
  return call.finish();
}

Status show_states(const std::string& target) {
  const Result<Channel> made = connected_by_callback(target);
  if (!made) return made.error();
  const Channel& channel = *made;
  std::printf("before: %s\n", to_string(channel.state()).data());

  const Status connected = channel.connect(5s);
  if (!connected.ok()) return connected;

  const auto soon = std::chrono::steady_clock::now() + 5s;
  if (channel.state() != ConnectivityState::ready &&
      !channel.wait_for_state_change(ConnectivityState::connecting, soon))
    return Status::deadline_exceeded("it does not become ready");
  std::printf("then: %s\n", to_string(channel.state()).data());

  const auto health = nearcall::check_health(channel, "greet.Greeter");
  if (!health) return health.error();
  const auto services = nearcall::list_services(channel);
  if (!services) return services.error();
  std::printf("%s, one of %zu services\n", to_string(*health).data(), services->size());

  channel.close_idle();
  return Status();
}

}  // namespace coming_from
