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
#include <sys/socket.h>

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

}  // namespace nearcall::test
