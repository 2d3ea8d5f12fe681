// SPDX-License-Identifier: Apache-2.0
// The escapes of grpc-message.
#include "grpc/percent_encoding.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail::grpc {
namespace {

bool needs_escape(char c) {
  return c < 0x20 || c > 0x7e || c == '%';  // whether char is signed or not
}

/// The value of a hexadecimal digit, or -1.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::size_t percent_encoded_size(std::string_view text) noexcept {
  return text.size() + 2 * static_cast<std::size_t>(std::ranges::count_if(text, needs_escape));
}

char* percent_encode(std::string_view text, char* to) noexcept {
  static constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (needs_escape(c)) {
      const auto byte = static_cast<unsigned char>(c);
      *to++ = '%';
      *to++ = digits[byte >> 4U];
      *to++ = digits[byte & 0xfU];
    } else {
      *to++ = c;
    }
  }
  return to;
}

std::string percent_decode(std::string_view text) {
  std::size_t escape = text.find('%');
  std::string decoded(text.substr(0, escape));
  if (escape == std::string_view::npos) return decoded;
  decoded.reserve(text.size());
  for (std::size_t i = escape; i < text.size(); ++i) {
    if (text[i] == '%' && text.size() - i > 2) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    decoded += text[i];
  }
  return decoded;
}

}  // namespace nearcall::inline v0::detail::grpc
