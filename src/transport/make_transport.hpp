// SPDX-License-Identifier: Apache-2.0
// From an Endpoint to the transport of its kind; for targets: nearcall/transport.hpp.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// The connector for an endpoint. That of an authority refuses every connection
/// (FAILED_PRECONDITION): such a target is for channels with a connector.
std::unique_ptr<Connector> make_connector(const Endpoint& endpoint);

/// The listener for an endpoint, not bound yet.
Result<std::unique_ptr<Listener>> make_listener(const Endpoint& endpoint,
                                                const ListenOptions& options = ListenOptions());

}  // namespace nearcall::inline v0::detail
