// SPDX-License-Identifier: Apache-2.0
// What the target of a channel means to it: how it connects, and how it waits.
#pragma once

#include "client/backend_source.hpp"
#include "client/connectivity.hpp"
#include "transport/endpoint.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/picker.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// What connects there, as the options allow.
Result<std::shared_ptr<Connector>> connector_to(const Endpoint& endpoint,
                                                const ChannelOptions& options);

/// The options as such a target needs them.
ChannelOptions options_for(std::string_view target, ChannelOptions options);

/// How it is tried where a program waits for the server. On the same machine an attempt costs next
/// to nothing; over a network the numbers are those of gRPC's connection-backoff.md.
Connectivity::Backoff backoff_to(const std::string& target, const ChannelOptions& options);

/// Whether calls on such targets are balanced: there are several, or the options choose.
bool are_balanced(const std::vector<std::string>& targets, const ChannelOptions& options);

/// What says where the backends are that a target stands for; null: it is one itself. `on_answer`:
/// as of DnsSource.
std::unique_ptr<BackendSource> source_of(const std::string& target,
                                         const ChannelOptions& options,
                                         std::function<void()> on_answer);

/// The one of the options, or that of the service config's loadBalancingConfig.
std::shared_ptr<Picker> picker_of(const ChannelOptions& options);

/// Whether each channel has its backends in another order: pick_first with shuffleAddressList (gRFC
/// A62).
bool shuffles(const ChannelOptions& options);

/// The service that backends have to serve: the service config's healthCheckConfig, where the
/// picker heeds it; null: nobody asks.
const std::string* checked_service_of(const ChannelOptions& options, const Picker& picker);

/// "unix:/run/a.sock, unix:/run/b.sock": what errors call several targets.
std::string name_of(const std::vector<std::string>& targets);

/// Where the server's socket file will be, if that is how it is found; else empty.
std::string path_of(const std::string& target, const ChannelOptions& options);

}  // namespace nearcall::inline v0::detail
