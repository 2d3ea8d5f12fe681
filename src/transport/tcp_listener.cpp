// SPDX-License-Identifier: Apache-2.0
// Listening on TCP.
#include "transport/tcp_listener.hpp"

#include "base/check.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"
#include "transport/tcp_options.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

namespace nearcall::inline v0::detail {

TcpListener::TcpListener(const Endpoint& endpoint, ListenOptions options)
    : wanted_(endpoint), address_(endpoint.to_string()), options_(std::move(options)) {
  CHECK(wanted_.family() != AF_UNIX, address_);
}

Result<void> TcpListener::bind() {
  if (acceptor_) fail_listener_order();
  const auto failure = [this](const char* call) {
    const int number = errno;
    return Failure{listen_status(address_, call, number)};
  };
  UniqueFd socket(::socket(wanted_.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failure("socket");
  const int on = 1;
  // Without it, connections of a predecessor in TIME_WAIT keep the port for a minute.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return failure("SO_REUSEADDR");
  }
  if (::bind(socket.get(), wanted_.get(), wanted_.size()) != 0) return failure("bind");
  if (::listen(socket.get(), options_.backlog()) != 0) return failure("listen");
  address_ = SocketAddress::local(socket.get()).to_string();
  acceptor_.emplace(std::move(socket));
  return {};
}

Result<std::unique_ptr<Transport>> TcpListener::try_accept() {
  if (!acceptor_) return std::unique_ptr<Transport>();
  auto accepted = acceptor_->try_accept(address_);
  if (!accepted) return std::move(accepted).error();
  if (!*accepted) return std::unique_ptr<Transport>();
  send_small_segments_at_once(accepted->get());
  PeerIdentity peer(SocketAddress::remote(accepted->get()).to_string());
  return std::unique_ptr<Transport>(
      std::make_unique<SocketTransport>(std::move(*accepted), std::move(peer)));
}

WaitAdvice TcpListener::prepare_wait() {
  if (!acceptor_) fail_listener_order();
  return WaitAdvice::poll(acceptor_->fd(), POLLIN);
}

void TcpListener::unbind() noexcept {
  acceptor_.reset();
}

}  // namespace nearcall::inline v0::detail
