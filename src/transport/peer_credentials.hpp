// SPDX-License-Identifier: Apache-2.0
// Who is on the other side of a socket, asked of the kernel.
#pragma once

#include "base/unique_fd.hpp"

#include <nearcall/peer.hpp>
#include <nearcall/result.hpp>

#include <string>
#include <system_error>

namespace nearcall {

/// The identity of the peer of a connected socket: with credentials on a Unix stream socket,
/// without them on any other. (SO_PEERCRED does not fail on a TCP socket; it makes up an answer.)
PeerIdentity peer_identity(int fd, std::string address);

/// A pidfd of the process that called connect (or listen): unlike the pid, it cannot come to mean
/// another process. The socket itself keeps hold of that process, so this may be asked at any time
/// of its life. ENOPROTOOPT before Linux 6.5; ESRCH or EINVAL may follow once the process is gone.
Result<UniqueFd, std::error_code> peer_pidfd(int fd) noexcept;

}  // namespace nearcall
