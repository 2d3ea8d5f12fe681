// SPDX-License-Identifier: Apache-2.0
// Base64: three bytes are four characters.
#include "grpc/base64.hpp"

#include <array>
#include <cstdint>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A value with this bit is no character of the alphabet; OR-ed groups keep it.
constexpr std::uint8_t foreign = 0x80;

constexpr std::array<std::uint8_t, 256> values = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(foreign);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}();

std::uint32_t value_of(char c) {
  return values[static_cast<unsigned char>(c)];
}

char character(std::uint32_t bits) {
  return alphabet[bits & 0x3fU];
}

/// `text` without its padding, or nothing when there is padding that does not fill up a group.
std::optional<std::string_view> without_padding(std::string_view text) {
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') {
    ++padding;
  }
  if (padding != 0 && text.size() % 4 != 0) return std::nullopt;
  return text.substr(0, text.size() - padding);
}

}  // namespace

char* base64_encode(ByteSpan bytes, char* to) noexcept {
  while (bytes.size() >= 3) {
    const std::uint32_t group = load_be24(bytes.data());
    *to++ = character(group >> 18U);
    *to++ = character(group >> 12U);
    *to++ = character(group >> 6U);
    *to++ = character(group);
    bytes = bytes.subspan(3);
  }
  if (bytes.size() == 1) {
    const auto group = std::to_integer<std::uint32_t>(bytes[0]) << 4U;
    *to++ = character(group >> 6U);
    *to++ = character(group);
  } else if (bytes.size() == 2) {
    const std::uint32_t group = std::uint32_t{load_be16(bytes.data())} << 2U;
    *to++ = character(group >> 12U);
    *to++ = character(group >> 6U);
    *to++ = character(group);
  }
  return to;
}

std::optional<std::string> base64_decode(std::string_view text) {
  const auto unpadded = without_padding(text);
  if (!unpadded || unpadded->size() % 4 == 1) return std::nullopt;
  text = *unpadded;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t seen = 0;
  for (; text.size() >= 4; text.remove_prefix(4)) {
    const std::uint32_t a = value_of(text[0]);
    const std::uint32_t b = value_of(text[1]);
    const std::uint32_t c = value_of(text[2]);
    const std::uint32_t d = value_of(text[3]);
    seen |= a | b | c | d;
    bytes += static_cast<char>(a << 2U | b >> 4U);
    bytes += static_cast<char>(b << 4U | c >> 2U);
    bytes += static_cast<char>(c << 6U | d);
  }
  if (text.size() >= 2) {
    const std::uint32_t a = value_of(text[0]);
    const std::uint32_t b = value_of(text[1]);
    const std::uint32_t c = text.size() == 3 ? value_of(text[2]) : 0;
    seen |= a | b | c;
    bytes += static_cast<char>(a << 2U | b >> 4U);
    if (text.size() == 3) bytes += static_cast<char>(b << 4U | c >> 2U);
  }
  if ((seen & foreign) != 0) return std::nullopt;
  return bytes;
}

}  // namespace nearcall::inline v0::detail::grpc
