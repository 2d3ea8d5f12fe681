// SPDX-License-Identifier: Apache-2.0
// Violation: what the peer did wrong, and what has to end because of it.
#pragma once

#include "http2/protocol.hpp"

#include <nearcall/result.hpp>

#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// A rule that the peer broke (RFC 9113 section 5.4). It is a value: the session answers it with
/// RST_STREAM or GOAWAY.
struct Violation {
  /// What dies: the whole connection (5.4.1) or one stream (5.4.2).
  enum class Scope : std::uint8_t { connection, stream };

  Scope scope = Scope::connection;
  ErrorCode code = ErrorCode::protocol_error;
  /// The rule, for the log and GOAWAY's debug data. Static text: never bytes of the peer's.
  std::string_view what;

  bool is_connection_error() const noexcept { return scope == Scope::connection; }

  friend bool operator==(const Violation&, const Violation&) = default;
};

/// `return connection_error(…);` from any function that returns a Result<…, Violation>.
/// REQUIRES: `what` is static text.
inline Failure<Violation> connection_error(ErrorCode code, std::string_view what) {
  return Failure{Violation{Violation::Scope::connection, code, what}};
}
/// `return stream_error(…);`: of the stream whose frame this is. REQUIRES: `what` is static text.
inline Failure<Violation> stream_error(ErrorCode code, std::string_view what) {
  return Failure{Violation{Violation::Scope::stream, code, what}};
}

}  // namespace nearcall::inline v0::detail::http2
