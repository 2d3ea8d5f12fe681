// SPDX-License-Identifier: Apache-2.0
// Connectors to children: one that was started for a channel, and one for each connection.
#pragma once

#include "transport/endpoint.hpp"

#include <nearcall/result.hpp>
#include <nearcall/spawn_options.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// Starts a child that has one end of a socket pair as its descriptor 3, and leads a process group.
/// The first connect() gets the other end; all others are UNAVAILABLE, and say how the child ended
/// if it has. It ends with the connector and its connection. UNAVAILABLE if it cannot be started,
/// INVALID_ARGUMENT for a command that is none.
Result<std::shared_ptr<Connector>> spawn_child(const std::vector<std::string>& command,
                                               const SpawnOptions& options);

/// Each connect() starts the command, whose standard input and output are one end of a socket pair.
/// The child goes with its connection. REQUIRES: Kind::command.
std::unique_ptr<Connector> make_command_connector(const Endpoint& endpoint);

}  // namespace nearcall::inline v0::detail
