// SPDX-License-Identifier: Apache-2.0
// InheritedListener: takes connections from a socket that somebody else has made.
#pragma once

#include "transport/acceptor.hpp"
#include "transport/inherited_socket.hpp"

#include <nearcall/transport.hpp>

#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// Hands over the connections of a listening socket, or the one that a connected socket is.
///
/// Others may listen on the same socket, and go on: unbind() only closes ours. So it leaves those
/// who wait to them, and a name, its permissions and its lock are their business, too.
/// Thread safety: as Listener says.
class InheritedListener final : public Listener {
 public:
  /// Takes the socket.
  explicit InheritedListener(const InheritedSocket& socket);

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  std::string address() const override { return inherited_.address(); }
  bool knows_credentials() const noexcept override { return inherited_.is_unix(); }
  Result<void> check_policy(const PeerPolicy& policy) const override;

 private:
  enum class State : std::uint8_t { unbound, bound, over };

  const InheritedSocket inherited_;
  State state_ = State::unbound;
  /// Until bind(), or until it is handed over: the socket.
  UniqueFd socket_;
  std::optional<Acceptor> acceptor_;
  /// Never readable: what to wait on where no further connection can come.
  UniqueFd nothing_;
};

/// The transport of a connected socket.
std::unique_ptr<Transport> make_socket_transport(UniqueFd socket, bool is_unix, std::string name);

}  // namespace nearcall::inline v0::detail
