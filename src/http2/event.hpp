// SPDX-License-Identifier: Apache-2.0
// Event: what a session tells its owner.
#pragma once

#include "base/bytes.hpp"
#include "http2/frame.hpp"
#include "http2/hpack/header_list.hpp"
#include "http2/protocol.hpp"
#include "http2/settings.hpp"

#include <cstdint>
#include <string_view>
#include <variant>

namespace nearcall::inline v0::detail::http2 {

class Stream;

/// All input is used up.
struct NoEvent {};

/// A header block of a request or a response.
struct HeadersEvent {
  enum class Part : std::uint8_t {
    head,
    informational,  // 1xx: the response's head is still to come
    trailers
  };
  Stream* stream;
  const HeaderList* list;
  Part part = Part::head;
  bool end_stream = false;  // the peer has finished this stream
};

/// A piece of a DATA payload (padding is gone and credited); may be empty.
struct DataEvent {
  Stream* stream;
  ByteSpan bytes;
  bool end_stream = false;
};

/// The stream is over.
struct ResetEvent {
  enum class Cause : std::uint8_t {
    peer,         // RST_STREAM
    unprocessed,  // the peer provably did not begin it: REFUSED_STREAM, or beyond its GOAWAY
    violation     // it was us who found fault; `what` says with what
  };
  Stream* stream;
  ErrorCode code;
  Cause cause = Cause::peer;
  std::string_view what = {};  // for people
};

/// is_writable() said no of the stream and would say yes now.
struct WritableEvent {
  Stream* stream;
};
/// has_room_for_calls() said no and would say yes now.
struct RoomEvent {};
/// Once a connection: streams are not writable, and will not be before the peer opens windows of
/// others.
struct WritersWaitEvent {
  std::string_view what;  // for people
};

/// The peer's SETTINGS were applied (slots may be free: see open_state()).
struct SettingsEvent {};
/// Before that: one of them, ignored unless somebody knows it: our own identifier (#12, #14).
struct UnknownSettingEvent {
  Setting setting;
};
/// The peer has our SETTINGS.
struct SettingsAckEvent {};
/// The peer's GOAWAY; resets of streams that it did not begin follow.
struct GoawayEvent {
  StreamId last;
  ErrorCode code;
  ByteSpan debug;
};
/// The answer to send_ping(opaque).
struct PingAckEvent {
  std::uint64_t opaque;
};
/// Ignored unless somebody knows it: attachments (#12), shared memory (#14).
struct UnknownFrameEvent {
  FrameHeader header;
  ByteSpan payload;
};
/// The peer broke the connection: GOAWAY is in the output; send it, then close.
struct ConnectionErrorEvent {
  ErrorCode code;
  std::string_view what;  // for people
};

/// What happened. A view: valid until the next call of next_event() or receive().
using Event = std::variant<NoEvent,
                           HeadersEvent,
                           DataEvent,
                           ResetEvent,
                           WritableEvent,
                           RoomEvent,
                           WritersWaitEvent,
                           SettingsEvent,
                           UnknownSettingEvent,
                           SettingsAckEvent,
                           GoawayEvent,
                           PingAckEvent,
                           UnknownFrameEvent,
                           ConnectionErrorEvent>;

inline bool is_none(const Event& event) noexcept {
  return std::holds_alternative<NoEvent>(event);
}
/// Of headers, data, a reset or a writable stream; else null.
inline Stream* stream_of(const Event& event) noexcept {
  if (const auto* const headers = std::get_if<HeadersEvent>(&event)) return headers->stream;
  if (const auto* const data = std::get_if<DataEvent>(&event)) return data->stream;
  if (const auto* const reset = std::get_if<ResetEvent>(&event)) return reset->stream;
  if (const auto* const writable = std::get_if<WritableEvent>(&event)) return writable->stream;
  return nullptr;
}
/// Whether the peer has finished a stream with this.
inline bool ends_stream(const Event& event) noexcept {
  if (const auto* const headers = std::get_if<HeadersEvent>(&event)) return headers->end_stream;
  if (const auto* const data = std::get_if<DataEvent>(&event)) return data->end_stream;
  return false;
}

}  // namespace nearcall::inline v0::detail::http2
