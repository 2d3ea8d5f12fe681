// SPDX-License-Identifier: Apache-2.0
// Whether a listener's policy and what guards its address go together.
#pragma once

#include "transport/endpoint.hpp"
#include "transport/inherited_socket.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/result.hpp>

#include <string>

namespace nearcall::inline v0::detail {

/// FAILED_PRECONDITION for a listener whose peers have no credentials, and a policy that needs
/// them.
Result<void> check_peers_without_credentials(const std::string& address, const PeerPolicy& policy);

/// The same for a listener to which this process alone connects, and a policy that does not admit
/// it.
Result<void> check_own_peers(const std::string& address, const PeerPolicy& policy);

/// The same for any target of ours, and: FAILED_PRECONDITION where policy and file mode exclude
/// each other, INVALID_ARGUMENT for a mode that is none.
Result<void> check_access(const Endpoint& endpoint, const ListenOptions& options);

/// The same for what has no path: Unix sockets, which know their peers, or anything else.
Result<void> check_access_without_path(const std::string& address,
                                       bool is_unix,
                                       const PeerPolicy& policy);

/// The same for a socket that was inherited. What its file permits is its maker's business, and a
/// policy may be narrower: where the two exclude each other, a warning is logged.
Result<void> check_inherited_access(const InheritedSocket& socket, const PeerPolicy& policy);

}  // namespace nearcall::inline v0::detail
