// SPDX-License-Identifier: Apache-2.0
// Accepting on a socket that is shared, or handing over one that is connected.
#include "transport/inherited_listener.hpp"

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
    : address_(socket.address()),
      is_listening_(socket.is_listening()),
      is_unix_(socket.is_unix()),
      socket_(socket.take()) {
}

Result<void> InheritedListener::bind() {
  if (state_ != State::unbound) fail_listener_order();
  state_ = State::bound;
  if (is_listening_) {
    acceptor_.emplace(std::move(socket_), Acceptor::Sharing::shared);
    return {};
  }
  nothing_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!nothing_) return Failure{listen_status(address_, "eventfd", errno)};
  return {};
}

Result<std::unique_ptr<Transport>> InheritedListener::try_accept() {
  UniqueFd next;
  if (acceptor_) {
    Result<UniqueFd> accepted = acceptor_->try_accept(address_);
    if (!accepted) return std::move(accepted).error();
    next = *std::move(accepted);
  } else if (state_ == State::bound) {
    next = std::move(socket_);
  }
  if (!next) return std::unique_ptr<Transport>();
  return make_socket_transport(std::move(next), is_unix_, address_);
}

WaitAdvice InheritedListener::prepare_wait() {
  if (state_ != State::bound) fail_listener_order();
  if (socket_) return WaitAdvice::ready_now();
  return WaitAdvice::poll(acceptor_ ? acceptor_->fd() : nothing_.get(), POLLIN);
}

void InheritedListener::unbind() noexcept {
  state_ = State::over;
  acceptor_.reset();
  socket_.reset();
}

}  // namespace nearcall::inline v0::detail
