// SPDX-License-Identifier: Apache-2.0
// What a server logs of its peers.
#include "server/server_shared.hpp"

#include <string>

namespace nearcall::inline v0::detail {

void ServerShared::log_peer_fault(const PeerIdentity& peer, std::string_view what, TimePoint now) {
  if (const auto swallowed = fault_limiter_.admit(now)) {
    log(LogLevel::warning, peer.to_string(), ": ", what, *swallowed > 0 ? " (and " : "",
        *swallowed > 0 ? std::to_string(*swallowed) : std::string(),
        *swallowed > 0 ? " more before)" : "");
  }
}

}  // namespace nearcall::inline v0::detail
