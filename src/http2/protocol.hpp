// SPDX-License-Identifier: Apache-2.0
// The numbers of HTTP/2 (RFC 9113): frame types, flags, error codes, settings, sizes and defaults.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// What a client sends before its first frame (RFC 9113 section 3.4).
inline constexpr std::string_view client_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length 24, type 8, flags 8, reserved 1, stream identifier 31 bits (section 4.1).
inline constexpr std::size_t frame_header_size = 9;
/// No stream identifier is above this one (section 5.1.1).
inline constexpr std::uint32_t max_stream_id = 0x7fff'ffff;

/// The type octet of a frame (section 6). A value without a name is ignored on receipt (4.1).
enum class FrameType : std::uint8_t {
  data = 0x0,           // 6.1
  headers = 0x1,        // 6.2
  priority = 0x2,       // 6.3, deprecated
  rst_stream = 0x3,     // 6.4
  settings = 0x4,       // 6.5
  push_promise = 0x5,   // 6.6
  ping = 0x6,           // 6.7
  goaway = 0x7,         // 6.8
  window_update = 0x8,  // 6.9
  continuation = 0x9,   // 6.10
};

/// The bits of a frame's flags octet; which frames know which is beside each.
namespace frame_flag {
inline constexpr std::uint8_t none = 0x0;
inline constexpr std::uint8_t end_stream = 0x1;   // DATA, HEADERS
inline constexpr std::uint8_t ack = 0x1;          // SETTINGS, PING
inline constexpr std::uint8_t end_headers = 0x4;  // HEADERS, PUSH_PROMISE, CONTINUATION
inline constexpr std::uint8_t padded = 0x8;       // DATA, HEADERS, PUSH_PROMISE
inline constexpr std::uint8_t priority = 0x20;    // HEADERS
}  // namespace frame_flag

/// Payload lengths that are fixed or have a fixed part (sections 6.2 to 6.9).
namespace payload_size {
inline constexpr std::size_t priority = 5;       // 6.3; also the field inside HEADERS, 6.2
inline constexpr std::size_t rst_stream = 4;     // 6.4
inline constexpr std::size_t setting = 6;        // 6.5.1: identifier 16, value 32 bits
inline constexpr std::size_t ping = 8;           // 6.7
inline constexpr std::size_t goaway = 8;         // 6.8: without the debug data
inline constexpr std::size_t window_update = 4;  // 6.9
}  // namespace payload_size

/// Why a stream or a connection ends: RST_STREAM and GOAWAY carry it (section 7). A value without
/// a name is legal on receipt and means nothing special.
enum class ErrorCode : std::uint32_t {
  no_error = 0x0,
  protocol_error = 0x1,
  internal_error = 0x2,
  flow_control_error = 0x3,
  settings_timeout = 0x4,
  stream_closed = 0x5,
  frame_size_error = 0x6,
  refused_stream = 0x7,
  cancel = 0x8,
  compression_error = 0x9,
  connect_error = 0xa,
  enhance_your_calm = 0xb,
  inadequate_security = 0xc,
  http_1_1_required = 0xd,
};

/// The identifier of a setting (section 6.5.2). A value without a name is ignored on receipt.
enum class SettingId : std::uint16_t {
  header_table_size = 0x1,
  enable_push = 0x2,
  max_concurrent_streams = 0x3,
  initial_window_size = 0x4,
  max_frame_size = 0x5,
  max_header_list_size = 0x6,
  enable_connect_protocol = 0x8,  // RFC 8441 section 3
  no_rfc7540_priorities = 0x9,    // RFC 9218 section 2.1
};

/// What holds until a SETTINGS frame says otherwise (section 6.5.2).
namespace default_setting {
inline constexpr std::uint32_t header_table_size = 4096;
inline constexpr std::uint32_t enable_push = 1;
inline constexpr std::uint32_t initial_window_size = 65'535;
inline constexpr std::uint32_t max_frame_size = 16'384;
}  // namespace default_setting

/// A window never exceeds this (section 6.9.1), nor may SETTINGS_INITIAL_WINDOW_SIZE.
inline constexpr std::uint32_t max_window_size = 0x7fff'ffff;
/// SETTINGS_MAX_FRAME_SIZE lies between these two (section 6.5.2).
inline constexpr std::uint32_t min_max_frame_size = 16'384;
inline constexpr std::uint32_t max_max_frame_size = 16'777'215;

/// The name as the RFC writes it, "PROTOCOL_ERROR"; "UNKNOWN" for a value that has none.
std::string_view to_string(ErrorCode code) noexcept;
/// Its name, or "error code 77".
std::string describe(ErrorCode code);
/// The name as the RFC writes it, "RST_STREAM"; "UNKNOWN" for a value that has none.
std::string_view to_string(FrameType type) noexcept;

}  // namespace nearcall::inline v0::detail::http2
