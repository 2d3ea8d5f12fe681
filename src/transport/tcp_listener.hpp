// SPDX-License-Identifier: Apache-2.0
// TcpListener: listens on a literal IP address and a port.
#pragma once

#include "transport/acceptor.hpp"
#include "transport/endpoint.hpp"
#include "transport/socket_address.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <optional>
#include <string>

namespace nearcall::inline v0::detail {

/// Listens on TCP, or on a vsock, which differs in its addresses only. Peers have an address and no
/// credentials.
/// Thread safety: as Listener says.
class TcpListener final : public Listener {
 public:
  /// REQUIRES: an ipv4, ipv6 or vsock endpoint. Port 0 of the first two lets the kernel choose one.
  explicit TcpListener(const Endpoint& endpoint, ListenOptions options = ListenOptions());

  Result<void> bind() override;
  Result<std::unique_ptr<Transport>> try_accept() override;
  WaitAdvice prepare_wait() override;
  void unbind() noexcept override;
  /// After bind() with the real port.
  std::string address() const override { return address_; }

 private:
  const SocketAddress wanted_;
  std::string address_;
  const ListenOptions options_;
  std::optional<Acceptor> acceptor_;
};

}  // namespace nearcall::inline v0::detail
