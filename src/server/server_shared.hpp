// SPDX-License-Identifier: Apache-2.0
// ServerShared: what all loops of a server have in common.
#pragma once

#include "base/log.hpp"
#include "connection/connection_counters.hpp"
#include "connection/keep_alive.hpp"
#include "connection/quiet_protobuf.hpp"
#include "grpc/codec_set.hpp"
#include "http2/header_template.hpp"
#include "server/call_limit.hpp"
#include "server/connection_age.hpp"
#include "server/connection_quota.hpp"
#include "server/service_registry.hpp"

#include <nearcall/server.hpp>
#include <nearcall/thread_pool.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {

class CallStage;

/// What all loops of a server have in common. The registry is filled before the server starts;
/// from then on everything here may be used from any thread.
class ServerShared {
 public:
  explicit ServerShared(const ServerOptions& options)
      : options_(options),
        limits_(std::make_shared<ConnectionLimits>(options.limits())),
        call_limits_(CallLimits::make(options)),
        codecs_(options.codecs()),
        quota_({options.max_connections(), options.max_connections_per_uid(),
                options.max_total_buffered_input(), options.max_total_buffered_output()}),
        observed_(Observed::make(Observer::Side::server, {}, options.observers())) {
    counters_.set_observed(observed_.get());
  }

  const ServerOptions& options() const noexcept { return options_; }
  /// Its connections' limits, of which they keep no copies.
  const std::shared_ptr<ConnectionLimits>& limits() const noexcept { return limits_; }
  /// What messages may be compressed with.
  const grpc::CodecSet& codecs() const noexcept { return codecs_; }
  /// What all answers begin with that have headers.
  const http2::HeaderTemplate& response_head() const noexcept { return response_head_; }
  /// `ends_are_told`: by the kernel, so that nobody need be asked unless the program wants it.
  KeepAlive::Options keep_alive(bool ends_are_told) const noexcept {
    const bool is_off = ends_are_told && !options_.has_keepalive_time();
    return {is_off ? Duration::max() : options_.keepalive_time(), options_.keepalive_timeout(),
            /*without_calls=*/true};
  }
  ConnectionAge::Options age() const noexcept {
    return {options_.max_connection_age(), options_.max_connection_age_grace(),
            options_.max_connection_idle()};
  }
  /// Null: there are none.
  const CallLimits* call_limits() const noexcept { return call_limits_.get(); }
  ServiceRegistry& registry() noexcept { return registry_; }
  const ServiceRegistry& registry() const noexcept { return registry_; }
  ConnectionQuota& quota() noexcept { return quota_; }

  /// Whom calls tell; null: nobody.
  const Observed* observed() const noexcept { return counters_.observed(); }
  ConnectionCounters& counters() noexcept { return counters_; }
  const ConnectionCounters& counters() const noexcept { return counters_; }
  /// The number of another connection, from 1. From any thread.
  std::uint64_t next_connection() noexcept {
    return connections_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  /// What each call has to pass before its handler begins; null: nothing. Set before the start.
  CallStage* stage() const noexcept { return stage_; }
  void set_stage(CallStage* stage) noexcept {
    stage_ = stage;
    look_for_what_stands_between();
  }
  /// Before the start.
  void add_service(Service& service) {
    registry_.add(service);
    look_for_what_stands_between();
  }
  /// Whether nothing stands between a call and its handler: no stage, no interceptors, and no
  /// GenericService, whose calls have to be told their method.
  bool is_direct() const noexcept { return is_direct_; }

  /// Where the functions of BlockingServices run. From any thread, once the server has started.
  ThreadPool& handler_pool() noexcept {
    return options_.handler_pool() != nullptr ? *options_.handler_pool() : *own_pool_;
  }
  /// The server starts, in this process.
  void make_pool() {
    if (options_.handler_pool() == nullptr) own_pool_.emplace(/*max_threads=*/32);
  }

  std::stop_token stopping() const noexcept { return stopping_.get_token(); }
  void begin_stopping() noexcept { stopping_.request_stop(); }

  /// At most a line a second: what a peer did wrong.
  void log_peer_fault(const PeerIdentity& peer, std::string_view what, TimePoint now);

 private:
  void look_for_what_stands_between() noexcept {
    is_direct_ = stage_ == nullptr && options_.interceptors().empty() && !registry_.is_open();
  }

  [[no_unique_address, maybe_unused]] QuietProtobuf quiet_protobuf_;
  const ServerOptions options_;
  const std::shared_ptr<ConnectionLimits> limits_;
  const std::unique_ptr<CallLimits> call_limits_;
  const grpc::CodecSet codecs_;
  const http2::HeaderTemplate response_head_{{":status", "200"},
                                             {"content-type", "application/grpc"},
                                             {"grpc-accept-encoding", codecs_.accepted()}};
  ServiceRegistry registry_;
  ConnectionQuota quota_;
  const std::shared_ptr<const Observed> observed_;
  ConnectionCounters counters_;
  std::atomic<std::uint64_t> connections_{0};
  CallStage* stage_ = nullptr;
  bool is_direct_ = options_.interceptors().empty();
  std::stop_source stopping_;
  /// Its threads begin with their first work.
  std::optional<ThreadPool> own_pool_;
  LogLimiter fault_limiter_;
};

}  // namespace nearcall::inline v0::detail
