// SPDX-License-Identifier: Apache-2.0
// Listening on Unix sockets.
#include "transport/unix_listener.hpp"

#include "base/check.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

namespace nearcall {
namespace {

Result<void> bind_abstract(int socket, const Endpoint& endpoint, int backlog) {
  const SocketAddress name(endpoint);
  const std::string subject = endpoint.to_string();
  if (::bind(socket, name.get(), name.size()) != 0) {
    return Failure{system_status(local_failure_code(errno), subject, "bind", errno)};
  }
  if (::listen(socket, backlog) != 0) {
    return Failure{system_status(local_failure_code(errno), subject, "listen", errno)};
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

Result<void> UnixListener::bind() {
  CHECK(!acceptor_ && !file_, address_);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return Failure{system_status(local_failure_code(errno), address_, "socket", errno)};
  if (endpoint_.kind() == Endpoint::Kind::unix_abstract) {
    auto bound = bind_abstract(socket.get(), endpoint_, options_.backlog());
    if (!bound) return bound;
  } else {
    auto file = SocketFile::create(socket.get(), endpoint_.name(), options_);
    if (!file) return Failure{std::move(file).error()};
    file_ = std::move(*file);
  }
  acceptor_.emplace(std::move(socket));
  return {};
}

Result<std::unique_ptr<Transport>> UnixListener::try_accept() {
  if (!acceptor_) return std::unique_ptr<Transport>();
  auto accepted = acceptor_->try_accept(address_);
  if (!accepted) return std::move(accepted).error();
  if (!*accepted) return std::unique_ptr<Transport>();
  PeerIdentity peer = peer_identity(accepted->get(), address_);
  return std::unique_ptr<Transport>(
      std::make_unique<SocketTransport>(std::move(*accepted), std::move(peer)));
}

WaitAdvice UnixListener::prepare_wait() {
  CHECK(acceptor_, address_);
  return WaitAdvice::poll(acceptor_->fd(), POLLIN);
}

void UnixListener::unbind() noexcept {
  acceptor_.reset();
}

}  // namespace nearcall
