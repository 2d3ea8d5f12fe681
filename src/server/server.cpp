// SPDX-License-Identifier: Apache-2.0
// The public face of a server.
#include "base/log.hpp"
#include "server/server_core.hpp"

#include <nearcall/server.hpp>

#include <utility>

namespace nearcall::inline v0 {
namespace {

/// What keeps a server from serving; a second start is no error but a misuse.
Status check_start(const detail::ServerCore& core, const char* misuse) {
  if (core.is_started()) detail::fail_precondition(misuse);
  if (!core.first_error().ok()) return core.first_error();
  if (core.has_listener()) return Status();
  return Status(StatusCode::failed_precondition,
                "the server listens nowhere: call listen() before run() or start()");
}

}  // namespace

Server::Server(ServerOptions options)
    : core_(std::make_unique<detail::ServerCore>(nullptr, options)) {
}

Server::Server(EventLoop& loop, ServerOptions options)
    : core_(std::make_unique<detail::ServerCore>(&loop, options)) {
}

/// In a forked child the server is the parent's: threads that are not here may have been inside of
/// its handlers, and hold its mutexes. All stays as it is; its sockets the child never had.
Server::~Server() {
  if (core_->is_inherited()) static_cast<void>(core_.release());
}

Server& Server::add_service(Service& service) {
  if (core_->is_started()) {
    detail::fail_precondition(
        "Server::add_service(): the server has started; add services before start() or run()");
  }
  core_->shared().add_service(service);
  return *this;
}

Server& Server::add_service(std::shared_ptr<Service> service) {
  if (service == nullptr) {
    detail::fail_precondition(
        "Server::add_service(): the pointer to the service is null; pass one to a service");
  }
  add_service(*service);
  core_->shared().registry().keep(std::move(service));
  return *this;
}

Result<void> Server::try_listen(std::string_view target, const ListenOptions& options) {
  Result<std::unique_ptr<Listener>> listener = make_listener(target, options);
  if (!listener) return Failure{std::move(listener).error()};
  return core_->listen(*std::move(listener), options.policy());
}

Result<void> Server::try_listen(std::unique_ptr<Listener> listener, const ListenOptions& options) {
  if (listener == nullptr) {
    detail::fail_precondition(
        "Server::listen(): the pointer to the listener is null; pass one to a listener");
  }
  const PeerPolicy& policy = options.policy();
  if (Result<void> checked = listener->check_policy(policy); !checked) return checked;
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

std::vector<std::string> Server::services() const {
  return core_->shared().registry().service_names();
}

std::vector<std::string> Server::addresses() const {
  return core_->addresses();
}

int Server::run() {
  if (!core_->has_own_threads()) {
    detail::fail_precondition(
        "Server::run(): the server was made with an EventLoop; call start(), and run that loop");
  }
  Status ready = check_start(
      *core_,
      "Server::run(): the server has started already; call run() once, and no start() before it");
  Result<void> served = ready.ok() ? core_->run() : Failure{std::move(ready)};
  if (served) return 0;
  detail::log(LogLevel::error, served.error().to_string());
  return 1;
}

Result<void> Server::start() {
  Status ready = check_start(*core_,
                             "Server::start(): the server has started already; call start() once, "
                             "and make another server to serve again");
  if (!ready.ok()) return Failure{std::move(ready)};
  return core_->start();
}

void Server::stop() noexcept {
  core_->stop();
}

void Server::wait() {
  if (!core_->has_own_threads()) {
    detail::fail_precondition(
        "Server::wait(): the server was made with an EventLoop; co_await stopped() on it");
  }
  core_->join();
}

void Server::cancel_calls() noexcept {
  core_->cancel_calls();
}

Task<void> Server::stopped() {
  co_await detail::StopAwaiter(core_->stopped());
}

}  // namespace nearcall::inline v0
