// SPDX-License-Identifier: Apache-2.0
// Huffman coding of strings (RFC 7541 section 5.2).
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace nearcall::inline v0::detail::http2 {

/// How many bytes `text` takes when coded, the padding included.
std::size_t huffman_encoded_size(std::string_view text) noexcept;
/// Writes huffman_encoded_size(text) bytes; returns the end.
std::byte* huffman_encode(std::string_view text, std::byte* to) noexcept;

/// No coded string of that many bytes decodes to more than this: the shortest code has 5 bits.
constexpr std::size_t huffman_decoded_bound(std::size_t coded_size) noexcept {
  return coded_size * 8 / 5;
}
/// The size of the decoded string; nothing when huffman_decode() would refuse it.
std::optional<std::size_t> huffman_decoded_size(ByteSpan coded) noexcept;
/// Writes the decoded string and returns its size; nothing when it holds EOS, ends within a code,
/// or its padding is longer than 7 bits or not all ones (`to` may have been written to, then).
/// REQUIRES: room for the decoded string; huffman_decoded_bound() is always enough.
std::optional<std::size_t> huffman_decode(ByteSpan coded, char* to) noexcept;

}  // namespace nearcall::inline v0::detail::http2
