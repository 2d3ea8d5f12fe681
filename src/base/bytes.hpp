// SPDX-License-Identifier: Apache-2.0
// Bytes: spans of them, and integers in network order. The only place that shifts bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace nearcall::inline v0::detail {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;

inline std::uint16_t load_be16(const std::byte* from) noexcept {
  std::uint16_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap16(value);
}
inline std::uint32_t load_be24(const std::byte* from) noexcept {
  return std::to_integer<std::uint32_t>(from[0]) << 16U |
         std::to_integer<std::uint32_t>(from[1]) << 8U | std::to_integer<std::uint32_t>(from[2]);
}
inline std::uint32_t load_be32(const std::byte* from) noexcept {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return __builtin_bswap32(value);
}
inline void store_be16(std::byte* to, std::uint16_t value) noexcept {
  value = __builtin_bswap16(value);
  std::memcpy(to, &value, sizeof value);
}
/// REQUIRES: value < 2^24.
inline void store_be24(std::byte* to, std::uint32_t value) noexcept {
  to[0] = static_cast<std::byte>(value >> 16U);
  to[1] = static_cast<std::byte>(value >> 8U);
  to[2] = static_cast<std::byte>(value);
}
inline void store_be32(std::byte* to, std::uint32_t value) noexcept {
  value = __builtin_bswap32(value);
  std::memcpy(to, &value, sizeof value);
}
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian hosts are not supported yet");

inline ByteSpan as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace nearcall::inline v0::detail
