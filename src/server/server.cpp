// SPDX-License-Identifier: Apache-2.0
// The public face of a server.
#include "base/check.hpp"
#include "base/log.hpp"
#include "server/server_core.hpp"
#include "transport/listen_access.hpp"

#include <nearcall/server.hpp>

#include <utility>

namespace nearcall {
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
  Result<std::unique_ptr<Listener>> listener = make_listener(target, options);
  if (!listener) return Failure{std::move(listener).error()};
  return core_->listen(*std::move(listener), options.policy());
}

Result<void> Server::try_listen(std::unique_ptr<Listener> listener, const ListenOptions& options) {
  const PeerPolicy& policy = options.policy();
  if (policy.needs_socket_file()) {
    return Failure{
        Status(StatusCode::failed_precondition,
               listener->address() + ": PeerPolicy::by_file_mode() is for unix: targets")};
  }
  if (!listener->knows_credentials()) {
    auto allowed = detail::check_peers_without_credentials(listener->address(), policy);
    if (!allowed) return allowed;
  }
  return core_->listen(std::move(listener), policy);
}

Server& Server::listen(std::string_view target, const ListenOptions& options) {
  Result<void> listening = try_listen(target, options);
  if (!listening) core_->remember(std::move(listening).error());
  return *this;
}

Server& Server::listen(std::unique_ptr<Listener> listener, const ListenOptions& options) {
  Result<void> listening = try_listen(std::move(listener), options);
  if (!listening) core_->remember(std::move(listening).error());
  return *this;
}

std::vector<std::string> Server::addresses() const {
  return core_->addresses();
}

int Server::run() {
  CHECK(core_->has_own_threads() && !core_->is_started());
  Result<void> served = core_->first_error().ok() ? core_->run() : Failure{core_->first_error()};
  if (served) return 0;
  log(LogLevel::error, served.error().to_string());
  return 1;
}

Result<void> Server::start() {
  CHECK(!core_->is_started());
  if (!core_->first_error().ok()) return Failure{core_->first_error()};
  return core_->start();
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
