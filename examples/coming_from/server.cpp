// SPDX-License-Identifier: Apache-2.0
// How a server is set up, for who comes from grpc++ or .NET: one statement for each thing there.
#include "coming_from.hpp"

#include <nearcall/peer_policy.hpp>
#include <nearcall/server_interceptor.hpp>

#include <cstdio>

using namespace std::chrono_literals;
using nearcall::Codec;
using nearcall::Status;
using nearcall::Task;

namespace coming_from {

namespace {

/// A line for each call that failed.
class LogFailures final : public nearcall::ServerInterceptor {
  Task<Status> intercept(nearcall::IncomingCall& call) override {
    Status status = co_await call.proceed();
    const std::string method(call.method());
    if (!status.ok()) std::printf("%s: %s\n", method.c_str(), status.to_string().c_str());
    co_return status;
  }
};

}  // namespace

nearcall::ServerOptions server_options(nearcall::ThreadPool& pool) {
  nearcall::ServerOptions options;
  options.threads(2);
  options.handler_pool(pool);

  options.max_receive_message_size(16 * 1024 * 1024);
  options.max_send_message_size(16 * 1024 * 1024);
  options.compression(Codec::gzip()).compression_threshold(4096);

  nearcall::ConnectionLimits limits;
  limits.max_concurrent_streams = 100;
  limits.max_header_list_size = 32 * 1024;
  limits.handshake_timeout = 2s;
  limits.min_ping_interval = 10s;
  limits.min_ping_interval_without_calls = 10s;
  options.limits(limits);

  options.keepalive_time(1min).keepalive_timeout(10s);
  options.max_connection_idle(1h);
  options.max_connection_age(24h).max_connection_age_grace(5min);

  options.max_connections(512);
  options.max_total_buffered_input(64 * 1024 * 1024);
  options.max_concurrent_calls(50, /*queued=*/100);
  options.max_concurrent_calls("/greet.Greeter/SayHelloSlowly", 5);

  options.interceptor(std::make_shared<LogFailures>());
  options.drain_timeout(5s);
  return options;
}

nearcall::Result<void> listen(nearcall::Server& server, const std::string& target) {
  const auto policy = nearcall::PeerPolicy::any_of(
      {nearcall::PeerPolicy::same_user_or_root(), nearcall::PeerPolicy::group(::getegid())});
  return server.try_listen(target, nearcall::ListenOptions(policy).mode(0660));
}

}  // namespace coming_from
