// SPDX-License-Identifier: Apache-2.0
// InheritedConnector: hands over a socket that was connected by somebody else, once.
#pragma once

#include "transport/inherited_socket.hpp"

#include <nearcall/transport.hpp>

#include <atomic>
#include <string>

namespace nearcall::inline v0::detail {

/// The first connect() gets the socket; all others are UNAVAILABLE. Thread safety: as Connector
/// says.
class InheritedConnector final : public Connector {
 public:
  /// Takes the socket. REQUIRES: it is connected.
  explicit InheritedConnector(const InheritedSocket& socket);

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override;

 private:
  const std::string address_;
  const bool is_unix_;
  std::atomic<bool> is_taken_ = false;
  /// Guarded by is_taken_: whoever has set it.
  UniqueFd socket_;
};

}  // namespace nearcall::inline v0::detail
