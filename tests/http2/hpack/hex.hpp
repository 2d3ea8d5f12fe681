// SPDX-License-Identifier: Apache-2.0
// Header blocks for tests: from hexadecimal digits, and printed as such.
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

using Bytes = std::vector<std::byte>;

/// The bytes of "82 86 84…"; blanks are skipped. The memory is exactly as long as the bytes, so
/// that a sanitizer sees a read past the end.
inline Bytes from_hex(std::string_view digits) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::string compact;
  for (const char c : digits) {
    if (c != ' ') compact.push_back(c);
  }
  Bytes bytes(compact.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(value(compact[2 * i]) * 16 + value(compact[2 * i + 1]));
  }
  return bytes;
}

inline std::string to_hex(ByteSpan bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte octet : bytes) {
    text.push_back(digits[std::to_integer<std::size_t>(octet) / 16]);
    text.push_back(digits[std::to_integer<std::size_t>(octet) % 16]);
  }
  return text;
}

}  // namespace nearcall::inline v0::detail::http2
