// SPDX-License-Identifier: Apache-2.0
// A connector that hands over no connection to a server that is not expected.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/peer_policy.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// Connects as `connector`. UNAVAILABLE with StatusReason::wrong_server where `expected` does not
/// admit who is there; nothing was sent then.
std::shared_ptr<Connector> make_checking_connector(std::shared_ptr<Connector> connector,
                                                   PeerPolicy expected);

/// The same for a Unix socket of which nobody has said who is expected: this process's user or root
/// where others than its server may take the name. That is any abstract one, and a path that leads
/// through a directory which they may write to. REQUIRES: a Unix endpoint.
std::shared_ptr<Connector> make_name_checking_connector(std::shared_ptr<Connector> connector,
                                                        const Endpoint& name);

}  // namespace nearcall::inline v0::detail
