// SPDX-License-Identifier: Apache-2.0
// connect(2) of Unix sockets.
#pragma once

#include "transport/socket_address.hpp"

#include <string>

namespace nearcall::inline v0::detail {

/// connect(2). 0, or errno: EINTR never.
int connect_to_address(int socket, const SocketAddress& address) noexcept;
/// The same to the socket at a path of any length; ENAMETOOLONG where the path is longer than an
/// address and there is no /proc.
int connect_to_path(int socket, const std::string& path);

}  // namespace nearcall::inline v0::detail
