// SPDX-License-Identifier: Apache-2.0
// Accepting on a socket that is shared, or handing over one that is connected.
#include "transport/inherited_listener.hpp"

#include "transport/listen_access.hpp"
#include "transport/peer_credentials.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"
#include "transport/system_error.hpp"
#include "transport/tcp_options.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <utility>

namespace nearcall::inline v0::detail {

std::unique_ptr<Transport> make_socket_transport(UniqueFd socket, bool is_unix, std::string name) {
  if (!is_unix) {
    send_small_segments_at_once(socket.get());
    std::string remote = SocketAddress::remote(socket.get()).to_string();
    if (!remote.empty()) name = std::move(remote);
  }
  PeerIdentity peer = peer_identity(socket.get(), std::move(name));
  return std::make_unique<SocketTransport>(std::move(socket), std::move(peer));
}

InheritedListener::InheritedListener(const InheritedSocket& socket)
    : inherited_(socket), socket_(socket.take()) {
}

Result<void> InheritedListener::bind() {
  if (state_ != State::unbound) fail_listener_order();
  state_ = State::bound;
  if (inherited_.is_listening()) {
    acceptor_.emplace(std::move(socket_), Acceptor::Sharing::shared);
    return {};
  }
  nothing_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!nothing_) return Failure{listen_status(address(), "eventfd", errno)};
  return {};
}

Result<std::unique_ptr<Transport>> InheritedListener::try_accept() {
  UniqueFd next;
  if (acceptor_) {
    Result<UniqueFd> accepted = acceptor_->try_accept(address());
    if (!accepted) return std::move(accepted).error();
    next = *std::move(accepted);
  } else if (state_ == State::bound) {
    next = std::move(socket_);
  }
  if (!next) return std::unique_ptr<Transport>();
  return make_socket_transport(std::move(next), inherited_.is_unix(), address());
}

WaitAdvice InheritedListener::prepare_wait() {
  if (state_ != State::bound) fail_listener_order();
  if (socket_) return WaitAdvice::ready_now();
  return WaitAdvice::poll(acceptor_ ? acceptor_->fd() : nothing_.get(), POLLIN);
}

Result<void> InheritedListener::check_policy(const PeerPolicy& policy) const {
  return check_inherited_access(inherited_, policy);
}

void InheritedListener::unbind() noexcept {
  state_ = State::over;
  acceptor_.reset();
  socket_.reset();
}

}  // namespace nearcall::inline v0::detail
