// SPDX-License-Identifier: Apache-2.0
// Huffman coding of strings: a 64-bit window over the coded bits, one table look-up a symbol.
#include "http2/hpack/huffman.hpp"

#include "http2/hpack/huffman_table.hpp"

namespace nearcall::inline v0::detail::http2 {
namespace {

using huffman::tables;

/// The bits not yet decoded, topmost first; zeros below them.
struct Window {
  std::uint64_t bits = 0;
  unsigned count = 0;

  void refill(ByteSpan& input) noexcept {
    if (count >= huffman::max_code_length) return;
    if (input.size() >= 4) {
      bits |= static_cast<std::uint64_t>(load_be32(input.data())) << (32U - count);
      count += 32;
      input = input.subspan(4);
      return;
    }
    for (; !input.empty(); input = input.subspan(1)) {
      bits |= std::to_integer<std::uint64_t>(input[0]) << (56U - count);
      count += 8;
    }
  }
  void drop(unsigned length) noexcept {
    bits <<= length;
    count -= length;
  }
  /// Whether what is left may be padding: at most 7 bits, all ones.
  bool is_padding() const noexcept { return count < 8 && bits == ~(~std::uint64_t{0} >> count); }
};

struct Decoded {
  std::size_t symbol;
  unsigned length;
};

/// The symbol whose code has more than 8 bits at the top of `bits`.
Decoded decode_long(std::uint64_t bits) noexcept {
  const std::uint64_t top = bits >> 32U;
  unsigned length = 9;
  while (top >= tables.limit[length]) {
    ++length;
  }
  const auto code = static_cast<std::uint32_t>(top >> (32U - length));
  const std::uint32_t position = tables.first_position[length] + code - tables.first_code[length];
  return {tables.sorted[position], length};
}

/// Hands every symbol to `sink`; false when the string is malformed.
template <class Sink>
bool decode(ByteSpan coded, Sink sink) noexcept {
  Window window;
  for (;;) {
    window.refill(coded);
    if (const auto entry = tables.short_codes[window.bits >> 56U]; entry.length != 0) {
      if (entry.length > window.count) return window.is_padding();
      sink(static_cast<char>(entry.symbol));
      window.drop(entry.length);
      continue;
    }
    const Decoded decoded = decode_long(window.bits);
    if (decoded.length > window.count) return window.is_padding();
    if (decoded.symbol == huffman::end_of_string) return false;
    sink(static_cast<char>(decoded.symbol));
    window.drop(decoded.length);
  }
}

}  // namespace

std::size_t huffman_encoded_size(std::string_view text) noexcept {
  std::size_t bits = 0;
  for (const char c : text) {
    bits += huffman::code_lengths[static_cast<unsigned char>(c)];
  }
  return (bits + 7) / 8;
}

std::byte* huffman_encode(std::string_view text, std::byte* to) noexcept {
  std::uint64_t pending = 0;  // its low `count` bits are still to be written; count < 32
  unsigned count = 0;
  for (const char c : text) {
    const huffman::Code code = tables.codes[static_cast<unsigned char>(c)];
    pending = pending << code.length | code.bits;
    count += code.length;
    if (count >= 32) {
      count -= 32;
      store_be32(to, static_cast<std::uint32_t>(pending >> count));
      to += 4;
    }
  }
  const unsigned padding = (8U - count % 8U) % 8U;
  pending = pending << padding | ((1U << padding) - 1U);
  for (count += padding; count > 0; count -= 8) {
    *to++ = static_cast<std::byte>(pending >> (count - 8U));
  }
  return to;
}

std::optional<std::size_t> huffman_decoded_size(ByteSpan coded) noexcept {
  std::size_t size = 0;
  if (!decode(coded, [&size](char) { ++size; })) return std::nullopt;
  return size;
}

std::optional<std::size_t> huffman_decode(ByteSpan coded, char* to) noexcept {
  char* end = to;
  if (!decode(coded, [&end](char c) { *end++ = c; })) return std::nullopt;
  return static_cast<std::size_t>(end - to);
}

}  // namespace nearcall::inline v0::detail::http2
