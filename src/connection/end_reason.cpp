// SPDX-License-Identifier: Apache-2.0
// The names of the ways in which a connection ends.
#include "connection/end_reason.hpp"

namespace nearcall::inline v0 {

std::string_view to_string(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::none:
      return "open";
    case EndReason::drained:
      return "drained";
    case EndReason::peer_closed:
      return "closed by the peer";
    case EndReason::read_failed:
      return "read failed";
    case EndReason::write_failed:
      return "write failed";
    case EndReason::protocol_violation:
      return "protocol violation";
    case EndReason::silent:
      return "silent";
    case EndReason::cancelled:
      return "cancelled";
    case EndReason::evicted:
      return "evicted";
  }
  return "?";
}

}  // namespace nearcall::inline v0
