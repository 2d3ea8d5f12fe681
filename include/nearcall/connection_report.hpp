// SPDX-License-Identifier: Apache-2.0
// ConnectionReport: what one connection has done, for whoever looks at a server or a channel.
#pragma once

#include <nearcall/peer.hpp>
#include <nearcall/version.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How many calls there were; those that are under way are neither of the last two. They are
/// counted where they meet a connection: a call that is repeated counts once for each attempt, and
/// one that never had a connection not at all.
struct CallCounts {
  std::uint64_t started = 0;
  /// With OK.
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
};

/// One connection, as it was when somebody looked.
struct ConnectionReport {
  ConnectionReport() = default;  // no aggregate: docs/gcc12.md

  /// From 1: of the connections of a server, or of one to a backend, no two have had the same.
  std::uint64_t number = 0;
  PeerIdentity peer;
  std::uint64_t streams_started = 0;
  /// The server has ended them (END_STREAM), whatever the status was.
  std::uint64_t streams_succeeded = 0;
  /// They were reset before.
  std::uint64_t streams_failed = 0;
  /// PINGs that asked whether the peer is there.
  std::uint64_t keepalives_sent = 0;
  /// Bytes of DATA that may be sent, and that the peer may send, on all streams together: HTTP/2's
  /// windows of the connection.
  std::int64_t send_window = 0;
  std::int64_t receive_window = 0;
};

/// What a look shows of connections, and how long it may take.
struct LookOptions {
  /// Those with this number and higher ones, in their order, as many as that.
  std::uint64_t first_connection = 0;
  std::size_t max_connections = std::numeric_limits<std::size_t>::max();
  /// How long event loops have to answer; what one has that does not is left out.
  std::chrono::nanoseconds patience = std::chrono::seconds(1);
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
