// SPDX-License-Identifier: Apache-2.0
// Header blocks whose few bytes cost much, and the frames that carry them.
#pragma once

#include "http2/hpack/integer.hpp"
#include "support/frames.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace nearcall::test::frames {

inline std::string hpack_integer(char pattern, unsigned prefix_bits, std::size_t value) {
  std::string bytes(http2::max_encoded_integer_size, '\0');
  auto* const begin = reinterpret_cast<std::byte*>(bytes.data());
  const std::byte* const end = http2::encode_integer(
      begin, static_cast<std::byte>(pattern), prefix_bits, static_cast<std::uint32_t>(value));
  bytes.resize(static_cast<std::size_t>(end - begin));
  return bytes;
}

inline std::string hpack_string(std::string_view text) {
  return hpack_integer(0, 7, text.size()).append(text);
}

/// As it stands there.
inline std::string plain_field(std::string_view name, std::string_view value) {
  return std::string(1, '\0') + hpack_string(name) + hpack_string(value);
}

/// Goes into the table, if that is large enough.
inline std::string kept_field(std::string_view name, std::string_view value) {
  return "\x40" + hpack_string(name) + hpack_string(value);
}

/// The newest field of the table: one byte.
inline const std::string newest_field = "\xbe";

/// HEADERS, and CONTINUATIONs where the block is too large for one.
inline std::string block_in_frames(StreamId stream,
                                   std::string_view block,
                                   std::uint8_t flags_of_first = 0) {
  std::string all;
  FrameType type = FrameType::headers;
  do {
    const std::string_view part = block.substr(0, http2::min_max_frame_size);
    block.remove_prefix(part.size());
    const std::uint8_t end = block.empty() ? flag::end_headers : 0;
    all += raw(type, static_cast<std::uint8_t>(flags_of_first | end), stream, part);
    type = FrameType::continuation;
    flags_of_first = 0;
  } while (!block.empty());
  return all;
}

/// The n-th stream of a client.
constexpr StreamId nth_stream(StreamId n) {
  return 2 * n + 1;
}

/// Binary metadata whose value is nothing but commas: each could become an entry of its own.
inline std::string commas(std::size_t count) {
  return plain_field("a-bin", std::string(count, ','));
}

/// The same four times, with a long key; from the table after the first block.
inline std::string commas_of_table(bool is_first_block) {
  const std::string again = newest_field + newest_field + newest_field;
  if (!is_first_block) return newest_field + again;
  return kept_field(std::string(1986, 'a') + "-bin", std::string(1990, ',')) + again;
}

/// A request for a service whose name has 4,000 bytes; from the table after the first one.
inline std::string request_for_nothing(StreamId n) {
  const std::string path =
      n == 0 ? "\x44" + hpack_string("/" + std::string(4000, '\xff') + "/m") : newest_field;
  const std::string head = "\x83\x86" + path;  // POST, http
  static const std::string rest = block({{"te", "trailers"}, {"content-type", "application/grpc"}});
  return headers(nth_stream(n), head + rest, flag::end_headers | flag::end_stream);
}

/// Of a call whose deadline has passed when it comes.
inline std::string late_block(std::string_view path) {
  return request_block(path) + block({{"grpc-timeout", "1n"}});
}

}  // namespace nearcall::test::frames
