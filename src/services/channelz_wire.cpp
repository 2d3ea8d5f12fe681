// SPDX-License-Identifier: Apache-2.0
// Reports, as grpc.channelz.v1 tells them.
#include "services/channelz_wire.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace nearcall::inline v0::detail {
namespace {

/// protobuf has no other numbers here.
std::int64_t in_wire(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value);
}

/// What follows `scheme`.
std::optional<std::string_view> after(std::string_view scheme, std::string_view target) {
  if (!target.starts_with(scheme)) return std::nullopt;
  return target.substr(scheme.size());
}

/// "127.0.0.1:80", or "[::1]:80"; false if it is neither.
bool write_ip(int family, std::string_view text, channelz_wire::Address& to) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string host(text.substr(0, colon));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = text.substr(colon + 1);
  std::int32_t port = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  std::array<char, sizeof(in6_addr)> bytes{};
  if (read.ec != std::errc() || inet_pton(family, host.c_str(), bytes.data()) != 1) return false;
  const std::size_t size = family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr);
  to.mutable_tcpip_address()->set_ip_address(bytes.data(), size);
  to.mutable_tcpip_address()->set_port(port);
  return true;
}

/// Where only a Unix socket has a peer of that kind.
void write_credentials(const PeerIdentity& peer, channelz_wire::SocketData& to) {
  if (!peer.has_credentials()) return;
  channelz_wire::SocketOption& option = *to.add_option();
  option.set_name("SO_PEERCRED");
  option.set_value("uid=" + std::to_string(peer.uid()) + " gid=" + std::to_string(peer.gid()) +
                   " pid=" + std::to_string(peer.pid()));
}

void write_data(const ConnectionReport& connection, channelz_wire::SocketData& to) {
  to.set_streams_started(in_wire(connection.streams_started));
  to.set_streams_succeeded(in_wire(connection.streams_succeeded));
  to.set_streams_failed(in_wire(connection.streams_failed));
  to.set_keep_alives_sent(in_wire(connection.keepalives_sent));
  to.mutable_local_flow_control_window()->set_value(connection.send_window);
  to.mutable_remote_flow_control_window()->set_value(connection.receive_window);
  write_credentials(connection.peer, to);
}

/// Of a listener; `owner` listens at fewer than a thousand.
std::int64_t listener_id(std::uint64_t owner, std::size_t index) noexcept {
  return in_wire(owner + ChannelzId::first_listener + index);
}

}  // namespace

void write_address(std::string_view target, channelz_wire::Address& to) {
  if (const auto path = after("unix:", target)) {
    to.mutable_uds_address()->set_filename(std::string(*path));
    return;
  }
  if (const auto ip = after("ipv4:", target); ip && write_ip(AF_INET, *ip, to)) return;
  if (const auto ip = after("ipv6:", target); ip && write_ip(AF_INET6, *ip, to)) return;
  to.mutable_other_address()->set_name(std::string(target));
}

void write_socket_ref(std::uint64_t owner,
                      const ConnectionReport& connection,
                      channelz_wire::SocketRef& to) {
  to.set_socket_id(in_wire(owner + connection.number));
  to.set_name(connection.peer.to_string());
}

void write_socket(std::uint64_t owner,
                  const ConnectionReport& connection,
                  const std::vector<std::string>& listened_at,
                  channelz_wire::Socket& to) {
  write_socket_ref(owner, connection, *to.mutable_ref());
  write_data(connection, *to.mutable_data());
  const std::string& address = connection.peer.address();
  const bool is_ours = std::ranges::find(listened_at, address) != listened_at.end();
  write_address(address, is_ours ? *to.mutable_local() : *to.mutable_remote());
}

void write_listener(std::uint64_t owner,
                    std::size_t index,
                    const std::string& address,
                    channelz_wire::Socket& to) {
  to.mutable_ref()->set_socket_id(listener_id(owner, index));
  to.mutable_ref()->set_name(address);
  to.mutable_data();
  write_address(address, *to.mutable_local());
}

void write_server(const ShownServer& server,
                  const ServerReport& report,
                  channelz_wire::Server& to) {
  to.mutable_ref()->set_server_id(in_wire(server.id));
  to.mutable_ref()->set_name(server.name);
  for (std::size_t i = 0; i < report.addresses.size(); ++i) {
    channelz_wire::SocketRef& listener = *to.add_listen_socket();
    listener.set_socket_id(listener_id(server.id, i));
    listener.set_name(report.addresses[i]);
  }
  if (!report.is_whole) return;
  to.mutable_data()->set_calls_started(in_wire(report.calls.started));
  to.mutable_data()->set_calls_succeeded(in_wire(report.calls.succeeded));
  to.mutable_data()->set_calls_failed(in_wire(report.calls.failed));
}

}  // namespace nearcall::inline v0::detail
