// SPDX-License-Identifier: Apache-2.0
// Escapes what is no UTF-8, and what is not seen.
#include "base/quote.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace nearcall::inline v0::detail {
namespace {

/// How a character is encoded (RFC 3629, section 4, without control characters).
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

struct Range {
  char32_t first, last;
};
/// Characters without a shape of their own: they hide, break lines, or turn the order of others.
constexpr Range unseen[] = {
    {0x00ad, 0x00ad},    // soft hyphen
    {0x034f, 0x034f},    // grapheme joiner
    {0x061c, 0x061c},    // Arabic letter mark
    {0x115f, 0x1160},    // Hangul fillers
    {0x17b4, 0x17b5},    // Khmer inherent vowels
    {0x180e, 0x180e},    // Mongolian vowel separator
    {0x200b, 0x200f},    // of no width; marks of direction
    {0x2028, 0x202e},    // ends of lines and paragraphs; embeddings and overrides of direction
    {0x2060, 0x206f},    // word joiner, isolates of direction, and more that is not seen
    {0x2800, 0x2800},    // Braille without a dot
    {0x3164, 0x3164},    // Hangul filler
    {0xfeff, 0xfeff},    // byte order mark
    {0xffa0, 0xffa0},    // Hangul filler, halfwidth
    {0xfff9, 0xfffb},    // interlinear annotation
    {0xe0000, 0xe0fff},  // tags, and what else has no glyph of its own
};

bool is_unseen(std::string_view character) noexcept {
  const auto lead = static_cast<unsigned char>(character.front());
  char32_t point = lead & (0x7fU >> character.size());
  for (const char c : character.substr(1))
    point = (point << 6U) | (static_cast<unsigned char>(c) & 0x3fU);
  return std::any_of(std::begin(unseen), std::end(unseen), [point](const Range& range) {
    return point >= range.first && point <= range.last;
  });
}

/// The size of the printable character that `text` begins with; 0 if it begins with none.
std::size_t printable_size(std::string_view text) noexcept {
  for (const Encoding& encoding : encodings) {
    if (!begins_with(text, encoding)) continue;
    const bool is_ascii = encoding.size == 1;
    return is_ascii || !is_unseen(text.substr(0, encoding.size)) ? encoding.size : 0;
  }
  return 0;
}

std::string escape_of(char c) {
  static constexpr char hex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', 'x', hex[byte >> 4U], hex[byte & 0xfU]};
}

enum class Inside : std::uint8_t { nothing, quotes };

std::string escape(std::string_view text, Inside inside, std::size_t most) {
  std::string safe;
  safe.reserve(std::min(text.size(), most));
  while (!text.empty()) {
    const std::size_t size = printable_size(text);
    std::string shown = size == 0 ? escape_of(text.front()) : std::string(text, 0, size);
    if (inside == Inside::quotes && (shown == "\"" || shown == "\\")) shown.insert(0, 1, '\\');
    if (most - safe.size() < shown.size()) return safe.append("...");
    safe += shown;
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return safe;
}

}  // namespace

std::string escaped(std::string_view text, std::size_t most) {
  return escape(text, Inside::nothing, most);
}

std::string quote(std::string_view what, std::string_view value) {
  constexpr std::size_t most = 128;
  std::string text(what);
  return text.append(" \"").append(escape(value, Inside::quotes, most)).append("\"");
}

}  // namespace nearcall::inline v0::detail
