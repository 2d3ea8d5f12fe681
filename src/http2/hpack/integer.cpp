// SPDX-License-Identifier: Apache-2.0
// Integers that begin in the low bits of a byte: reading with a bound, and writing.
#include "http2/hpack/integer.hpp"

namespace nearcall::inline v0::detail::http2 {

std::optional<DecodedInteger> detail::decode_long_integer(ByteSpan input,
                                                          std::uint32_t prefix) noexcept {
  std::uint32_t value = prefix;
  for (std::uint32_t i = 1; i < max_decoded_integer_size && i < input.size(); ++i) {
    const auto octet = std::to_integer<std::uint32_t>(input[i]);
    value += (octet & 0x7fU) << (7U * (i - 1U));
    if ((octet & 0x80U) == 0) return DecodedInteger{value, i + 1U};
  }
  return std::nullopt;
}

std::byte* encode_integer(std::byte* to,
                          std::byte pattern,
                          unsigned prefix_bits,
                          std::uint32_t value) noexcept {
  const std::uint32_t prefix_mask = (1U << prefix_bits) - 1U;
  if (value < prefix_mask) {
    *to++ = pattern | static_cast<std::byte>(value);
    return to;
  }
  *to++ = pattern | static_cast<std::byte>(prefix_mask);
  value -= prefix_mask;
  for (; value >= 0x80U; value >>= 7U) {
    *to++ = static_cast<std::byte>(0x80U | (value & 0x7fU));
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}

}  // namespace nearcall::inline v0::detail::http2
