// SPDX-License-Identifier: Apache-2.0
// Short ways to move text over a Transport in tests.
#pragma once

#include "base/unique_fd.hpp"
#include "testing/transport_io.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/transport.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {

using detail::transport_io::finish_handshake;
using detail::transport_io::is_ready;
using detail::transport_io::park;
using detail::transport_io::piece;
using detail::transport_io::read_exactly;
using detail::transport_io::read_kind;
using detail::transport_io::read_once;
using detail::transport_io::write_all;
using detail::transport_io::write_once;

/// A socket connected to that of a server, if need be once its backlog has room.
inline std::unique_ptr<Transport> connect_raw(const std::string& path) {
  detail::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  EXPECT_EQ(::connect(socket.get(), address.get(), address.size()), 0) << path;
  ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
  return std::make_unique<detail::SocketTransport>(std::move(socket), PeerIdentity("unix:" + path));
}

/// The same over TCP, to `ipv4:127.0.0.1:PORT`, with a receive buffer of about that size.
inline std::unique_ptr<Transport> connect_tcp(const std::string& address,
                                              int receive_buffer = 65'536) {
  detail::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  return std::make_unique<detail::SocketTransport>(std::move(socket), PeerIdentity(address));
}

}  // namespace nearcall::test
