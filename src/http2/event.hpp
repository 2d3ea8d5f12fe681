// SPDX-License-Identifier: Apache-2.0
// Event: what a session tells its owner.
#pragma once

#include "base/bytes.hpp"
#include "http2/frame.hpp"
#include "http2/hpack/header_list.hpp"
#include "http2/protocol.hpp"

#include <cstdint>
#include <string_view>

namespace nearcall::http2 {

class Stream;

/// What happened. A view: valid until the next call of next_event() or receive().
struct Event {
  enum class Kind : std::uint8_t {
    none,             // all input is used up
    headers,          // a header block: request, response (1xx: `informational`) or `trailers`
    data,             // a piece of a DATA payload (padding is gone and credited); may be empty
    reset,            // the stream is over: by RST_STREAM, by a fault of the peer's (`local`) or
                      // because GOAWAY says that it was never begun (`unprocessed`)
    writable,         // is_writable() or may_make_message() said no and would say yes now;
                      // without a stream: has_room_for_calls()
    writers_wait,     // once a connection: streams are not writable, and will not be before the
                      // peer opens windows of others; `what` says so
    settings,         // the peer's SETTINGS were applied (slots may be free: see open_state())
    unknown_setting,  // id and value, before `settings`; ignored unless somebody knows it
    settings_ack,     // the peer has our SETTINGS
    goaway,           // the peer's GOAWAY: last id, code, debug text; `reset`s may follow
    ping_ack,         // `number` is what send_ping() sent
    unknown_frame,    // header and payload; ignored unless somebody knows it
    connection_error  // the peer broke the connection: GOAWAY is in the output; send it, then close
  };

  Kind kind = Kind::none;
  bool end_stream = false;     // headers, data: the peer has finished this stream
  bool trailers = false;       // headers
  bool informational = false;  // headers: 1xx, the response is still to come
  bool unprocessed = false;    // reset: the peer provably did not start it (REFUSED_STREAM, GOAWAY)
  bool local = false;          // reset: it was us who found fault; `what` says with what
  ErrorCode code{};            // reset, goaway, connection_error
  Stream* stream = nullptr;    // headers, data, reset, writable
  const HeaderList* headers = nullptr;
  ByteSpan data;  // data, goaway's debug text, unknown_frame's payload
  std::uint64_t number =
      0;                  // ping_ack's value, goaway's last id, unknown setting: id << 32 | value
  std::string_view what;  // reset, writers_wait, connection_error: for people
  FrameHeader frame;      // unknown_frame
};

}  // namespace nearcall::http2
