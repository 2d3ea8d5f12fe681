// SPDX-License-Identifier: Apache-2.0
// Writing and reading of %XX.
#include "base/percent_encoding.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

bool needs_escape(char c) {
  return c < 0x20 || c > 0x7e || c == '%';  // whether char is signed or not
}

bool is_path_character(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') ||
         std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos;
}

char* write_escape(char c, char* to) {
  static constexpr char digits[] = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  *to++ = '%';
  *to++ = digits[byte >> 4U];
  *to++ = digits[byte & 0xfU];
  return to;
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
  for (const char c : text) {
    if (needs_escape(c)) {
      to = write_escape(c, to);
    } else {
      *to++ = c;
    }
  }
  return to;
}

std::string percent_encode_path(std::string_view text) {
  std::string encoded(3 * text.size(), '\0');
  char* to = encoded.data();
  for (const char c : text) {
    if (is_path_character(c)) {
      *to++ = c;
    } else {
      to = write_escape(c, to);
    }
  }
  encoded.resize(static_cast<std::size_t>(to - encoded.data()));
  return encoded;
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

}  // namespace nearcall::inline v0::detail
