// SPDX-License-Identifier: Apache-2.0
// Short ways to move text over a Transport in tests.
#pragma once

#include <nearcall/transport.hpp>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::transport_io {

inline iovec piece(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

/// One try_write() of one piece.
inline IoResult write_once(Transport& connection, std::string_view text) {
  const iovec one = piece(text);
  return connection.try_write(std::span(&one, 1));
}

/// One try_read(): what came, or "" with the kind in `kind` if that is given.
inline std::string read_once(Transport& connection, IoResult::Kind* kind = nullptr) {
  std::array<std::byte, 4096> buffer{};
  const IoResult result = connection.try_read(buffer);
  if (kind != nullptr) *kind = result.kind();
  return std::string(
      std::string_view(reinterpret_cast<const char*>(buffer.data()), result.count()));
}

/// The kind of one try_read().
inline IoResult::Kind read_kind(Transport& connection) {
  IoResult::Kind kind = IoResult::Kind::failed;
  read_once(connection, &kind);
  return kind;
}

/// Parks as a driver does: until one of the directions is ready, or so many milliseconds are over.
inline bool park(Transport& connection,
                 std::initializer_list<Interest> directions,
                 int milliseconds) {
  std::vector<pollfd> watched;
  for (const Interest interest : directions) {
    const WaitAdvice advice = connection.prepare_wait(interest);
    if (advice.is_ready()) return true;
    watched.push_back({advice.fd(), advice.events(), 0});
  }
  return ::poll(watched.data(), watched.size(), milliseconds) > 0;
}
/// False after 10 s: the test has failed.
inline bool park(Transport& connection, Interest interest) {
  return park(connection, {interest}, 10'000);
}

/// Whether the descriptor of that direction says "ready" at this moment. Does not wait.
inline bool is_ready(Transport& connection, Interest interest) {
  return park(connection, {interest}, 0);
}

/// Takes one end through its handshake, parking in between; false if that fails.
inline bool finish_handshake(Transport& connection) {
  for (;;) {
    const Result<Handshake, std::error_code> moved = connection.handshake();
    if (!moved) return false;
    if (*moved == Handshake::done) return true;
    if (!park(connection, Interest::read)) return false;
  }
}

/// Writes all of it, parking in between; false if the connection broke.
inline bool write_all(Transport& connection, std::string_view text) {
  while (!text.empty()) {
    const IoResult result = write_once(connection, text);
    if (result.kind() == IoResult::Kind::bytes) {
      text.remove_prefix(result.count());
    } else if (result.kind() != IoResult::Kind::would_block || !park(connection, Interest::write)) {
      return false;
    }
  }
  return true;
}

/// Reads until `count` bytes are there or the connection ends, parking in between.
inline std::string read_exactly(Transport& connection, std::size_t count) {
  std::string text;
  std::array<std::byte, 4096> buffer{};
  while (text.size() < count) {
    const std::size_t wanted = std::min(buffer.size(), count - text.size());
    const IoResult result = connection.try_read(std::span(buffer).first(wanted));
    if (result.kind() == IoResult::Kind::bytes) {
      text += std::string_view(reinterpret_cast<const char*>(buffer.data()), result.count());
    } else if (result.kind() != IoResult::Kind::would_block || !park(connection, Interest::read)) {
      break;
    }
  }
  return text;
}

}  // namespace nearcall::inline v0::detail::transport_io
