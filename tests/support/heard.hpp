// SPDX-License-Identifier: Apache-2.0
// What a peer of the tests has heard: frames, in bytes and in words, and what came on each stream.
#pragma once

#include "base/bytes.hpp"
#include "http2/frame.hpp"
#include "http2/protocol.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

struct HeardFrame {
  http2::FrameHeader header;
  std::string payload;

  std::uint32_t number_at(std::size_t offset) const {
    return detail::load_be32(reinterpret_cast<const std::byte*>(payload.data()) + offset);
  }
  /// RST_STREAM, or, behind the last id, GOAWAY.
  http2::ErrorCode code() const {
    return static_cast<http2::ErrorCode>(
        number_at(header.type == http2::FrameType::goaway ? 4 : 0));
  }
};

/// Takes the next frame off the front of `bytes`; nothing while it is not there as a whole.
inline std::optional<HeardFrame> take_frame(std::string_view& bytes) {
  if (bytes.size() < http2::frame_header_size) return std::nullopt;
  const auto header = http2::load_frame_header(reinterpret_cast<const std::byte*>(bytes.data()));
  const std::size_t size = http2::frame_header_size + header.length;
  if (bytes.size() < size) return std::nullopt;
  HeardFrame frame{header, std::string(bytes.substr(http2::frame_header_size, header.length))};
  bytes.remove_prefix(size);
  return frame;
}

/// For comparisons: "SETTINGS ACK", "DATA 1 hello END_STREAM".
inline std::string in_words(const HeardFrame& frame) {
  const http2::FrameHeader& header = frame.header;
  std::string text(to_string(header.type));
  if (header.stream != 0) text += " " + std::to_string(header.stream);
  switch (header.type) {
    case http2::FrameType::data:
      if (!frame.payload.empty()) text += " " + frame.payload;
      break;
    case http2::FrameType::rst_stream:
      text.append(" ").append(to_string(frame.code()));
      break;
    case http2::FrameType::goaway:
      text += " " + std::to_string(frame.number_at(0)) + " ";
      text.append(to_string(frame.code()));
      break;
    case http2::FrameType::window_update:
      text += " " + std::to_string(frame.number_at(0));
      break;
    case http2::FrameType::ping:
      text += " " + frame.payload;
      break;
    default:
      break;
  }
  const bool is_acked =
      header.type == http2::FrameType::settings || header.type == http2::FrameType::ping;
  if (header.has(1)) text += is_acked ? " ACK" : " END_STREAM";
  return text;
}

/// What came on one stream.
struct HeardStream {
  std::map<std::string, std::string, std::less<>> fields;  // of all header blocks
  std::string body;
  bool has_ended = false;
  std::optional<http2::ErrorCode> reset;

  bool is_over() const noexcept { return has_ended || reset.has_value(); }
  /// "" if it did not come.
  std::string field(std::string_view name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  }
};

}  // namespace nearcall::test
