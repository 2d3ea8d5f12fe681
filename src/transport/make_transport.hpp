// SPDX-License-Identifier: Apache-2.0
// From an Endpoint to the transport of its kind; for targets: nearcall/transport.hpp.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/listen_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// The connector for an endpoint. That of an authority or of a descriptor refuses every connection
/// (FAILED_PRECONDITION): such targets are for channels with an option that says so.
std::unique_ptr<Connector> make_connector(const Endpoint& endpoint);

/// The connector of the connected socket that an endpoint's descriptor is, which this process has
/// inherited: takes it. FAILED_PRECONDITION: it is something else. REQUIRES: Kind::descriptor.
Result<std::unique_ptr<Connector>> make_descriptor_connector(const Endpoint& endpoint);

/// The listener for an endpoint, not bound yet.
Result<std::unique_ptr<Listener>> make_listener(const Endpoint& endpoint,
                                                const ListenOptions& options = ListenOptions());

}  // namespace nearcall::inline v0::detail
