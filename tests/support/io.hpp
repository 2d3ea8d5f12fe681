// SPDX-License-Identifier: Apache-2.0
// Short ways to move text over a Transport in tests.
#pragma once

#include "base/bytes.hpp"

#include <nearcall/transport.hpp>

#include <poll.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace nearcall::test {

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
  return std::string(detail::as_text(std::span(buffer).first(result.count())));
}

/// The kind of one try_read().
inline IoResult::Kind read_kind(Transport& connection) {
  IoResult::Kind kind = IoResult::Kind::failed;
  read_once(connection, &kind);
  return kind;
}

/// Parks as a driver does: until the direction is ready. False after 10 s: the test has failed.
inline bool park(Transport& connection, Interest interest) {
  const WaitAdvice advice = connection.prepare_wait(interest);
  if (advice.is_ready()) return true;
  pollfd watched{advice.fd(), advice.events(), 0};
  return ::poll(&watched, 1, 10'000) == 1;
}

/// Whether the descriptor of that direction says "ready" at this moment. Does not wait.
inline bool is_ready(Transport& connection, Interest interest) {
  const WaitAdvice advice = connection.prepare_wait(interest);
  if (advice.is_ready()) return true;
  pollfd watched{advice.fd(), advice.events(), 0};
  return ::poll(&watched, 1, 0) == 1;
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
      text += detail::as_text(std::span(buffer).first(result.count()));
    } else if (result.kind() != IoResult::Kind::would_block || !park(connection, Interest::read)) {
      break;
    }
  }
  return text;
}

}  // namespace nearcall::test
