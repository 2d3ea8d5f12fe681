// SPDX-License-Identifier: Apache-2.0
// One call of Watch for each server, made again when it has ended.
#include "client/health_watches.hpp"

#include "base/log.hpp"

#include <nearcall/client_stub.hpp>
#include <nearcall/wait.hpp>

#include <google/protobuf/wrappers.pb.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using google::protobuf::Int32Value;
using google::protobuf::StringValue;

constexpr Method watch_methods[] = {{"/grpc.health.v1.Health/Watch", MethodKind::server_streaming}};

// On the same machine an attempt costs next to nothing; A17 has gRPC's usual numbers.
constexpr Duration first_watch_pause = 10ms;
constexpr Duration longest_watch_pause = 1s;

/// HealthCheckResponse.ServingStatus.
constexpr std::int32_t serving = 1;

}  // namespace

HealthWatches::HealthWatches(std::string service, const ChannelOptions& options, Listener listener)
    : service_(std::move(service)), options_(options_of(options)), listener_(std::move(listener)) {
}

/// Without what belongs to the program's calls.
ChannelOptions HealthWatches::options_of(const ChannelOptions& options) {
  ChannelOptions own;
  own.connector(options.connector())
      .authority(options.authority())
      .connect_timeout(options.connect_timeout())
      .keepalive_time(options.keepalive_time())
      .keepalive_timeout(options.keepalive_timeout())
      .limits(options.limits());
  if (options.expect_server()) own.expect_server(*options.expect_server());
  if (options.allows_fd()) own.allow_fd();
  if (options.allows_exec()) own.allow_exec();
  return own;
}

void HealthWatches::set_targets(const std::vector<std::string>& targets) {
  const std::lock_guard lock(mutex_);
  const std::set<std::string> wanted(targets.begin(), targets.end());
  std::erase_if(watched_, [&wanted](auto& one) {
    if (wanted.contains(one.first)) return false;
    one.second.cancel();
    return true;
  });
  for (const std::string& target : wanted) {
    if (!watched_.contains(target)) watched_.emplace(target, spawn(loop_, watch(target)));
  }
}

void HealthWatches::turn() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) loop_.poll();
}

Task<void> HealthWatches::watch(std::string target) {
  const Channel channel(target, options_);
  Duration pause{};
  for (;;) {
    bool has_heard = false;
    const Status end = co_await watch_once(channel, target, has_heard);
    if (end.code() == StatusCode::unimplemented) {
      log(LogLevel::error, target, ": no health service, so it counts as healthy: ", end.message());
      listener_(target, Health::serving, Status());
      co_return;
    }
    listener_(target, Health::not_serving, end);
    pause = has_heard ? Duration::zero()
                      : std::clamp(pause * 8 / 5, first_watch_pause, longest_watch_pause);
    co_await sleep_for(pause);
  }
}

Task<Status> HealthWatches::watch_once(const Channel& channel,
                                       const std::string& target,
                                       bool& has_heard) {
  const ClientStub stub(channel, watch_methods);
  StringValue request;
  request.set_value(service_);
  auto call = stub.server_streaming_async<Int32Value>(0, request, CallOptions());
  for (;;) {
    const std::optional<Int32Value> said = co_await call.read();
    if (!said) break;
    has_heard = true;
    const bool serves = said->value() == serving;
    const Status why = serves ? Status()
                              : Status(StatusCode::unavailable,
                                       target + ": its health service says that it does not serve")
                                    .with_reason(StatusReason::no_server);
    listener_(target, serves ? Health::serving : Health::not_serving, why);
  }
  Status end = co_await call.finish();
  if (end.ok()) {
    end = Status(StatusCode::unavailable, target + ": its health service ended the watch")
              .with_reason(StatusReason::no_server);
  }
  co_return end;
}

}  // namespace nearcall::inline v0::detail
