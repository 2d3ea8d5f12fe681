// SPDX-License-Identifier: Apache-2.0
// Who is on the other side of a socket, asked of the kernel.
#pragma once

#include <nearcall/peer.hpp>

#include <string>

namespace nearcall::inline v0::detail {

/// The identity of the peer of a connected socket: with credentials on a Unix stream socket,
/// without them on any other. (SO_PEERCRED does not fail on a TCP socket; it makes up an answer.)
PeerIdentity peer_identity(int fd, std::string address);

}  // namespace nearcall::inline v0::detail
