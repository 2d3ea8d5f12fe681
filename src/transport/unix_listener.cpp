// SPDX-License-Identifier: Apache-2.0
// Listening on Unix sockets.
#include "transport/unix_listener.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "transport/listen_access.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

namespace nearcall::inline v0::detail {
namespace {

Result<void> bind_abstract(int socket, const Endpoint& endpoint, int backlog) {
  const SocketAddress name(endpoint);
  const std::string subject = endpoint.to_string();
  if (::bind(socket, name.get(), name.size()) != 0) {
    return Failure{listen_status(subject, "bind", errno)};
  }
  if (::listen(socket, backlog) != 0) {
    return Failure{listen_status(subject, "listen", errno)};
  }
  return {};
}

}  // namespace

UnixListener::UnixListener(const Endpoint& endpoint, ListenOptions options)
    : endpoint_(endpoint), address_(endpoint.to_string()), options_(std::move(options)) {
  CHECK(endpoint.kind() == Endpoint::Kind::unix_path ||
            endpoint.kind() == Endpoint::Kind::unix_abstract,
        address_);
}

Result<UniqueFd> UnixListener::make_socket() const {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return listen_status(address_, "socket", errno);
  return socket;
}

Result<void> UnixListener::bind() {
  if (acceptor_) fail_listener_order();
  Result<UniqueFd> socket = make_socket();
  if (!socket) return Failure{std::move(socket).error()};
  if (endpoint_.kind() == Endpoint::Kind::unix_abstract) {
    auto bound = bind_abstract(socket->get(), endpoint_, options_.backlog());
    if (!bound) return bound;
  } else {
    auto file = SocketFile::create(socket->get(), endpoint_.name(), options_);
    if (!file) return Failure{std::move(file).error()};
    file_ = std::move(*file);
  }
  acceptor_ = std::make_unique<Acceptor>(*std::move(socket));
  return {};
}

Result<UniqueFd> UnixListener::next_socket() {
  if (former_) {
    Result<UniqueFd> accepted = former_->try_accept(address_);
    if (!accepted || *accepted) return accepted;
  }
  if (!acceptor_) return UniqueFd();
  Result<UniqueFd> accepted = acceptor_->try_accept(address_);
  if (is_unbound_ && accepted && !*accepted) acceptor_.reset();
  return accepted;
}

Result<std::unique_ptr<Transport>> UnixListener::try_accept() {
  Result<UniqueFd> accepted = next_socket();
  if (!accepted) return std::move(accepted).error();
  if (!*accepted) return std::unique_ptr<Transport>();
  PeerIdentity peer = peer_identity(accepted->get(), address_);
  return std::unique_ptr<Transport>(
      std::make_unique<SocketTransport>(std::move(*accepted), std::move(peer)));
}

WaitAdvice UnixListener::prepare_wait() {
  if (!acceptor_ || is_unbound_) fail_listener_order();
  return WaitAdvice::poll(acceptor_->fd(), POLLIN);
}

/// The name goes first: nobody who finds it is refused.
void UnixListener::unbind() noexcept {
  file_.reset();
  is_unbound_ = true;
  if (acceptor_) acceptor_->stop_listening();
}

Result<void> UnixListener::check_policy(const PeerPolicy& policy) const {
  return check_access(endpoint_, ListenOptions(options_).policy(policy));
}

Result<bool> UnixListener::check_name() {
  if (!file_) return false;
  former_.reset();
  const Result<bool> in_place = file_->check();
  if (!in_place || *in_place) return in_place;
  Result<UniqueFd> socket = make_socket();
  if (!socket) return std::move(socket).error();
  const Result<bool> is_new = file_->restore(socket->get(), options_);
  if (!is_new) return is_new.error();
  log(LogLevel::warning, address_, ": somebody removed ", *is_new ? "the socket" : "its lock",
      "; it is there again");
  if (*is_new) {
    acceptor_->stop_listening();
    former_ = std::move(acceptor_);
    acceptor_ = std::make_unique<Acceptor>(*std::move(socket));
  }
  return true;
}

}  // namespace nearcall::inline v0::detail
