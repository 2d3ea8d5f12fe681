// SPDX-License-Identifier: Apache-2.0
// Integers that begin in the low bits of a byte (RFC 7541 section 5.1).
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace nearcall::inline v0::detail::http2 {

struct DecodedInteger {
  std::uint32_t value;
  std::uint32_t size;  // how many bytes it took
};

/// We read integers of at most this many bytes, the one with the prefix included; so their values
/// stay below 2^28 + 2^8 and cannot overflow. All that we allow a peer to say is far smaller.
inline constexpr std::size_t max_decoded_integer_size = 5;
/// What encode_integer() writes at most.
inline constexpr std::size_t max_encoded_integer_size = 6;

namespace detail {
/// The rest of an integer whose first byte is input[0] and whose prefix, all ones, is `prefix`.
std::optional<DecodedInteger> decode_long_integer(ByteSpan input, std::uint32_t prefix) noexcept;
}  // namespace detail

/// The integer at the start of `input`, or nothing when it is cut off or too long.
/// REQUIRES: 1 <= prefix_bits <= 8.
inline std::optional<DecodedInteger> decode_integer(ByteSpan input, unsigned prefix_bits) noexcept {
  if (input.empty()) return std::nullopt;
  const std::uint32_t prefix_mask = (1U << prefix_bits) - 1U;
  const std::uint32_t prefix = std::to_integer<std::uint32_t>(input[0]) & prefix_mask;
  if (prefix < prefix_mask) return DecodedInteger{prefix, 1};
  return detail::decode_long_integer(input, prefix);
}

/// Writes `value` behind the bits of `pattern` that stand above the prefix; returns the end.
/// REQUIRES: 1 <= prefix_bits <= 8; room for max_encoded_integer_size bytes.
std::byte* encode_integer(std::byte* to,
                          std::byte pattern,
                          unsigned prefix_bits,
                          std::uint32_t value) noexcept;

}  // namespace nearcall::inline v0::detail::http2
