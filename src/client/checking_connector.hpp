// SPDX-License-Identifier: Apache-2.0
// A connector that hands over no connection to a server that is not expected.
#pragma once

#include <nearcall/peer_policy.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// Connects as `connector`. UNAVAILABLE with StatusReason::wrong_server where `expected` does not
/// admit who is there; nothing was sent then.
std::shared_ptr<Connector> make_checking_connector(std::shared_ptr<Connector> connector,
                                                   PeerPolicy expected);

}  // namespace nearcall::inline v0::detail
