// SPDX-License-Identifier: Apache-2.0
// The public face of a server.
#include "base/check.hpp"
#include "base/log.hpp"
#include "server/server_core.hpp"
#include "transport/make_transport.hpp"

#include <nearcall/server.hpp>

#include <utility>

namespace nearcall {
namespace {

/// Abstract sockets and TCP carry no permissions: whoever opens them says so.
Result<void> check_policy(const Endpoint& endpoint, const PeerPolicy& policy) {
  if (endpoint.kind() == Endpoint::Kind::unix_path || !policy.needs_credentials()) return {};
  return Failure{Status(StatusCode::failed_precondition,
                        endpoint.to_string() +
                            ": anybody may connect to such an address; pass untrusted::anyone() "
                            "to listen() if that is meant")};
}

}  // namespace

Server::Server(ServerOptions options)
    : core_(std::make_unique<detail::ServerCore>(nullptr, options)) {
}

Server::Server(EventLoop& loop, ServerOptions options)
    : core_(std::make_unique<detail::ServerCore>(&loop, options)) {
}

Server::~Server() = default;

Server& Server::add_service(Service& service) {
  CHECK(!core_->is_started());
  core_->shared().registry().add(service);
  return *this;
}

Result<void> Server::try_listen(std::string_view target, const ListenOptions& options) {
  Result<Endpoint> endpoint = Endpoint::parse(target);
  if (!endpoint) return Failure{std::move(endpoint).error()};
  if (Result<void> allowed = check_policy(*endpoint, options.policy()); !allowed) return allowed;
  ListenerOptions listener_options;
  listener_options.mode = options.mode();
  listener_options.group = options.group();
  Result<std::unique_ptr<Listener>> listener = make_listener(*endpoint, listener_options);
  if (!listener) return Failure{std::move(listener).error()};
  return core_->listen(*std::move(listener), options.policy());
}

Result<void> Server::try_listen(std::unique_ptr<Listener> listener) {
  return core_->listen(std::move(listener), untrusted::anyone());
}

Server& Server::listen(std::string_view target, const ListenOptions& options) {
  Result<void> listening = try_listen(target, options);
  if (!listening) core_->remember(std::move(listening).error());
  return *this;
}

Server& Server::listen(std::unique_ptr<Listener> listener) {
  Result<void> listening = try_listen(std::move(listener));
  if (!listening) core_->remember(std::move(listening).error());
  return *this;
}

std::vector<std::string> Server::addresses() const {
  return core_->addresses();
}

int Server::run() {
  CHECK(core_->has_own_threads() && !core_->is_started());
  if (!core_->first_error().ok()) {
    log(LogLevel::error, core_->first_error().to_string());
    return 1;
  }
  core_->run();
  return 0;
}

Result<void> Server::start() {
  CHECK(!core_->is_started());
  if (!core_->first_error().ok()) return Failure{core_->first_error()};
  core_->start();
  return {};
}

void Server::stop() noexcept {
  core_->stop();
}

void Server::wait() {
  CHECK(core_->has_own_threads());
  core_->join();
}

Task<void> Server::stopped() {
  co_await detail::StopAwaiter(core_->stopped());
}

}  // namespace nearcall
