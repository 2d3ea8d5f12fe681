// SPDX-License-Identifier: Apache-2.0
// One connection, for whoever comes first.
#include "transport/inherited_connector.hpp"

#include "base/check.hpp"
#include "transport/inherited_listener.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

InheritedConnector::InheritedConnector(const InheritedSocket& socket)
    : address_(socket.address()), is_unix_(socket.is_unix()), socket_(socket.take()) {
  CHECK(!socket.is_listening(), address_);
}

Task<Result<std::unique_ptr<Transport>>> InheritedConnector::connect(ConnectContext) {
  if (is_taken_.exchange(true)) {
    co_return Status(StatusCode::unavailable,
                     address_ + ": it is one connection, which this channel has used already");
  }
  std::unique_ptr<Transport> transport =
      make_socket_transport(std::move(socket_), is_unix_, address_);
  co_return transport;
}

}  // namespace nearcall::inline v0::detail
