// SPDX-License-Identifier: Apache-2.0
// TcpConnector: connects to a literal IP address and a port.
#pragma once

#include "transport/endpoint.hpp"
#include "transport/socket_address.hpp"

#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Connects over TCP or a vsock. The peer has an address and no credentials.
/// Thread safety: as Connector says.
class TcpConnector final : public Connector {
 public:
  /// REQUIRES: an ipv4, ipv6 or vsock endpoint.
  explicit TcpConnector(const Endpoint& endpoint);

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override;

 private:
  const SocketAddress server_;
  const std::string target_;
};

}  // namespace nearcall::inline v0::detail
