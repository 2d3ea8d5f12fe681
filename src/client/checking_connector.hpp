// SPDX-License-Identifier: Apache-2.0
// A connector that hands over no connection to a server that is not expected.
#pragma once

#include <nearcall/peer_policy.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <string>

namespace nearcall::inline v0::detail {

/// Connects as `connector`. UNAVAILABLE with StatusReason::wrong_server where `expected` does not
/// admit who is there; nothing was sent then.
std::shared_ptr<Connector> make_checking_connector(std::shared_ptr<Connector> connector,
                                                   PeerPolicy expected);

/// The same for a Unix socket's `path`, of which nobody has said who is expected: this process's
/// user or root where others than its server may write to its directory, and so take the name.
std::shared_ptr<Connector> make_path_checking_connector(std::shared_ptr<Connector> connector,
                                                        const std::string& path);

}  // namespace nearcall::inline v0::detail
