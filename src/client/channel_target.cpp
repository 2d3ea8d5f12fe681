// SPDX-License-Identifier: Apache-2.0
// Connectors, pauses and paths by the kind of endpoint.
#include "client/channel_target.hpp"

#include "client/checking_connector.hpp"
#include "client/directory_source.hpp"
#include "client/dns_source.hpp"
#include "client/look_up.hpp"
#include "client/service_config.hpp"
#include "transport/child_connector.hpp"
#include "transport/make_transport.hpp"

#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {

Result<std::shared_ptr<Connector>> connector_to(const Endpoint& endpoint,
                                                const ChannelOptions& options) {
  if (endpoint.kind() == Endpoint::Kind::descriptor && options.allows_fd()) {
    Result<std::unique_ptr<Connector>> made = make_descriptor_connector(endpoint);
    if (!made) return std::move(made).error();
    return std::shared_ptr<Connector>(*std::move(made));
  }
  if (endpoint.kind() == Endpoint::Kind::command && options.allows_exec()) {
    return std::shared_ptr<Connector>(make_command_connector(endpoint));
  }
  std::shared_ptr<Connector> connector = make_connector(endpoint);
  const bool is_unix = endpoint.kind() == Endpoint::Kind::unix_path ||
                       endpoint.kind() == Endpoint::Kind::unix_abstract;
  if (is_unix && !options.expect_server()) {
    connector = make_name_checking_connector(std::move(connector), endpoint);
  }
  return connector;
}

Connectivity::Backoff backoff_to(const std::string& target, const ChannelOptions& options) {
  using namespace std::chrono_literals;
  const Result<Endpoint> endpoint = Endpoint::parse(target);
  if (options.connector() != nullptr || !endpoint) return {};
  switch (endpoint->kind()) {
    case Endpoint::Kind::unix_path:
    case Endpoint::Kind::unix_abstract:
    case Endpoint::Kind::inproc:
      return {.first = 1ms, .factor = 2, .longest = 100ms};
    case Endpoint::Kind::ipv4:
    case Endpoint::Kind::ipv6:
    case Endpoint::Kind::vsock:
      return {.first = 1s, .longest = 120s};
    default:
      return {};
  }
}

bool are_balanced(const std::vector<std::string>& targets, const ChannelOptions& options) {
  return targets.size() != 1 || options.picker() != nullptr ||
         checked_service_of(options, *picker_of(options)) != nullptr ||
         source_of(targets.front(), options, {}) != nullptr;
}

std::unique_ptr<BackendSource> source_of(const std::string& target,
                                         const ChannelOptions& options,
                                         std::function<void()> on_answer) {
  const Result<Endpoint> endpoint = Endpoint::parse(target);
  if (options.connector() != nullptr || !endpoint) return nullptr;
  if (endpoint->kind() == Endpoint::Kind::unix_directory) {
    return std::make_unique<DirectorySource>(endpoint->name(), options.expect_server().has_value());
  }
  if (endpoint->kind() != Endpoint::Kind::dns) return nullptr;
  const auto& resolver = Access::resolver(options);
  return std::make_unique<DnsSource>(endpoint->name(), endpoint->port(),
                                     resolver != nullptr ? *resolver : HostResolver{&resolve_host},
                                     std::move(on_answer));
}

std::shared_ptr<Picker> picker_of(const ChannelOptions& options) {
  if (options.picker() != nullptr) return options.picker();
  const auto& config = Access::service_config(options);
  const bool wants_turns = config != nullptr && config->load_balancing() &&
                           config->load_balancing()->policy == "round_robin";
  return wants_turns ? Picker::round_robin() : Picker::pick_first();
}

bool shuffles(const ChannelOptions& options) {
  const auto& config = Access::service_config(options);
  return options.picker() == nullptr && config != nullptr && config->load_balancing() &&
         config->load_balancing()->shuffles;
}

const std::string* checked_service_of(const ChannelOptions& options, const Picker& picker) {
  const auto& config = Access::service_config(options);
  const bool is_checked = config != nullptr && config->health_check() && picker.heeds_health();
  return is_checked ? &*config->health_check() : nullptr;
}

std::string name_of(const std::vector<std::string>& targets) {
  constexpr std::size_t most = 3;
  std::string name;
  for (std::size_t i = 0; i < targets.size() && i < most; ++i)
    name.append(i == 0 ? "" : ", ").append(targets[i]);
  if (targets.size() > most) {
    name.append(" and ").append(std::to_string(targets.size() - most)).append(" more");
  }
  return name;
}

std::string path_of(const std::string& target, const ChannelOptions& options) {
  const Result<Endpoint> endpoint = Endpoint::parse(target);
  const bool is_path =
      options.connector() == nullptr && endpoint && endpoint->kind() == Endpoint::Kind::unix_path;
  return is_path ? endpoint->name() : std::string();
}

/// Each connection of a command is a process, and two FIFOs have one client at a time.
ChannelOptions options_for(std::string_view target, ChannelOptions options) {
  const bool has_one = target.starts_with("exec:") || target.starts_with("fifo:");
  if (options.connector() == nullptr && has_one) options.max_connections(1);
  return options;
}

}  // namespace nearcall::inline v0::detail
