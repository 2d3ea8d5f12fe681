// SPDX-License-Identifier: Apache-2.0
// EndReason: every way in which a connection can end, for logs, counters and tests.
#pragma once

#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail {

/// Why a connection ended. The first reason counts.
enum class EndReason : std::uint8_t {
  none,                // it has not
  drained,             // both sides agreed: GOAWAY, no streams left, all output sent
  peer_closed,         // the peer closed its end
  read_failed,         // the transport failed while reading
  write_failed,        // the transport failed while writing, and the peer left nothing to read
  protocol_violation,  // the peer broke HTTP/2 or a budget: GOAWAY was sent
  silent,              // the peer did not answer a keepalive PING in time
  cancelled,           // our side gave it up: the channel or the server went
  evicted,             // others needed its place at the server, or the memory that it held
};

std::string_view to_string(EndReason reason) noexcept;

}  // namespace nearcall::inline v0::detail
