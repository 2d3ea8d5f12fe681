// SPDX-License-Identifier: Apache-2.0
// What we set on every TCP connection.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace nearcall::inline v0::detail {

/// TCP_NODELAY: we gather writes ourselves, and a call must not wait for the ACK of the last one.
/// A failure costs speed only, so it is not reported.
inline void send_small_segments_at_once(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace nearcall::inline v0::detail
