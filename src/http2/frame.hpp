// SPDX-License-Identifier: Apache-2.0
// FrameHeader: the nine bytes that every frame begins with (RFC 9113 section 4.1).
#pragma once

#include "base/bytes.hpp"
#include "http2/protocol.hpp"

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

using StreamId = std::uint32_t;

struct FrameHeader {
  std::uint32_t length = 0;
  FrameType type = FrameType::data;
  std::uint8_t flags = frame_flag::none;
  StreamId stream = 0;

  bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
  friend bool operator==(const FrameHeader&, const FrameHeader&) = default;
};

/// The reserved bit is ignored. REQUIRES: frame_header_size bytes.
inline FrameHeader load_frame_header(const std::byte* from) noexcept {
  const std::uint32_t length_and_type = load_be32(from);
  return {length_and_type >> 8U, static_cast<FrameType>(length_and_type & 0xffU),
          std::to_integer<std::uint8_t>(from[4]), load_be32(from + 5) & max_stream_id};
}
/// REQUIRES: room for frame_header_size bytes; header.length < 2^24.
inline void store_frame_header(std::byte* to, const FrameHeader& header) noexcept {
  store_be32(to, header.length << 8U | static_cast<std::uint32_t>(header.type));
  to[4] = static_cast<std::byte>(header.flags);
  store_be32(to + 5, header.stream);
}

}  // namespace nearcall::inline v0::detail::http2
