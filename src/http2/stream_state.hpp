// SPDX-License-Identifier: Apache-2.0
// StreamState: which frames a stream may still send and receive (RFC 9113 section 5.1).
#pragma once

#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// The life of one stream when server push is off.
///
/// Without push the reserved states vanish, and what remains is two halves, what the peer may still
/// send and what we may still send. Each goes one way:
///
///     idle --head of the message--> open --END_STREAM--> closed       RST_STREAM: both to closed
///
/// so that "open" of the RFC is two halves that are not closed, "half-closed" is one that is. A
/// half is idle until its request or final response head: DATA is not allowed before it (8.1).
///
/// Receiving is total: it moves, or returns the Violation to act on. No I/O, no allocation.
class StreamState {
 public:
  enum class Half : std::uint8_t { idle, open, closed };
  /// How a stream ended that is closed on both sides.
  enum class Ending : std::uint8_t { none, complete, reset_by_us, reset_by_peer };

  /// Server: the peer's request head has come.
  static constexpr StreamState inbound(bool end_stream) noexcept {
    return {end_stream ? Half::closed : Half::open, Half::idle};
  }
  /// Client: our request head has gone.
  static constexpr StreamState outbound(bool end_stream) noexcept {
    return {Half::idle, end_stream ? Half::closed : Half::open};
  }
  constexpr StreamState() noexcept = default;

  Half remote() const noexcept { return remote_; }
  Half local() const noexcept { return local_; }
  bool is_closed() const noexcept { return ending_ != Ending::none; }
  Ending ending() const noexcept { return ending_; }
  bool was_reset() const noexcept {
    return ending_ == Ending::reset_by_us || ending_ == Ending::reset_by_peer;
  }

  /// A header block on a stream that exists. `is_informational`: a 1xx response (8.1).
  Result<void, Violation> receive_headers(bool end_stream, bool is_informational) noexcept;
  Result<void, Violation> receive_data(bool end_stream) noexcept;

  bool may_send_headers() const noexcept { return local_ != Half::closed; }
  bool may_send_data() const noexcept { return local_ == Half::open; }
  /// A message head, or trailers. REQUIRES: may_send_headers().
  void send_headers(bool end_stream) noexcept {
    local_ = Half::open;
    if (end_stream) send_end();
  }
  void send_end() noexcept {
    local_ = Half::closed;
    note_completion();
  }
  /// RST_STREAM, in either direction. A stream that is closed stays as it is.
  void reset(Ending ending) noexcept {
    if (is_closed()) return;
    remote_ = local_ = Half::closed;
    ending_ = ending;
  }

 private:
  constexpr StreamState(Half remote, Half local) noexcept : remote_(remote), local_(local) {}
  void receive_end() noexcept {
    remote_ = Half::closed;
    note_completion();
  }
  void note_completion() noexcept {
    if (remote_ == Half::closed && local_ == Half::closed) ending_ = Ending::complete;
  }

  Half remote_ = Half::idle;
  Half local_ = Half::idle;
  Ending ending_ = Ending::none;
};

inline Result<void, Violation> StreamState::receive_data(bool end_stream) noexcept {
  if (remote_ == Half::open) {
    if (end_stream) receive_end();
    return {};
  }
  if (remote_ == Half::idle) {
    return stream_error(ErrorCode::protocol_error, "DATA before the response's HEADERS");
  }
  return stream_error(ErrorCode::stream_closed, "DATA after END_STREAM");
}

inline Result<void, Violation> StreamState::receive_headers(bool end_stream,
                                                            bool is_informational) noexcept {
  switch (remote_) {
    case Half::idle:
      if (is_informational) {
        if (!end_stream) return {};
        return stream_error(ErrorCode::protocol_error, "1xx response with END_STREAM");
      }
      remote_ = Half::open;
      if (end_stream) receive_end();
      return {};
    case Half::open:
      if (!end_stream) {
        return stream_error(ErrorCode::protocol_error, "trailers without END_STREAM");
      }
      receive_end();
      return {};
    case Half::closed:
      break;
  }
  return stream_error(ErrorCode::stream_closed, "HEADERS after END_STREAM");
}

}  // namespace nearcall::inline v0::detail::http2
