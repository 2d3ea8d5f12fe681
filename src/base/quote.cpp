// SPDX-License-Identifier: Apache-2.0
// Escapes what is no printable UTF-8.
#include "base/quote.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

/// How a printable character is encoded (RFC 3629, section 4, without control characters).
struct Encoding {
  unsigned char first_from, first_to;    // the first byte
  unsigned char second_from, second_to;  // the second; those after it are 80 to BF
  std::size_t size;
};
constexpr Encoding encodings[] = {
    {0x20, 0x7e, 0x00, 0xff, 1}, {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
};

bool is_between(char c, unsigned char from, unsigned char to) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= from && byte <= to;
}

bool begins_with(std::string_view text, const Encoding& encoding) noexcept {
  if (text.size() < encoding.size) return false;
  if (!is_between(text[0], encoding.first_from, encoding.first_to)) return false;
  for (std::size_t i = 1; i < encoding.size; ++i) {
    const bool is_second = i == 1;
    if (!is_between(text[i], is_second ? encoding.second_from : 0x80,
                    is_second ? encoding.second_to : 0xbf)) {
      return false;
    }
  }
  return true;
}

/// The size of the printable character that `text` begins with; 0 if it begins with none.
std::size_t printable_size(std::string_view text) noexcept {
  for (const Encoding& encoding : encodings) {
    if (begins_with(text, encoding)) return encoding.size;
  }
  return 0;
}

constexpr std::size_t escape_size = 4;

void append_escape(std::string& to, char c) {
  static constexpr char hex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  to += "\\x";
  to += hex[byte >> 4U];
  to += hex[byte & 0xfU];
}

}  // namespace

std::string escaped(std::string_view text, std::size_t most) {
  std::string safe;
  safe.reserve(std::min(text.size(), most));
  while (!text.empty()) {
    const std::size_t size = printable_size(text);
    if (most - safe.size() < (size == 0 ? escape_size : size)) return safe.append("...");
    if (size == 0) {
      append_escape(safe, text.front());
    } else {
      safe.append(text, 0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return safe;
}

std::string quote(std::string_view what, std::string_view value) {
  constexpr std::size_t most = 128;
  std::string text(what);
  return text.append(" \"").append(escaped(value, most)).append("\"");
}

}  // namespace nearcall::inline v0::detail
