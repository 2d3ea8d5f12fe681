// SPDX-License-Identifier: Apache-2.0
// The Huffman code of RFC 7541 appendix B, worked out from its code lengths while compiling.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::http2::huffman {

inline constexpr std::size_t symbol_count = 257;
inline constexpr std::size_t end_of_string = 256;
inline constexpr unsigned max_code_length = 30;

/// How many bits the code of each octet has, and that of EOS as the last one. The code is
/// canonical (shorter before longer, then by symbol), so this is all there is to know.
// clang-format off
inline constexpr std::array<std::uint8_t, symbol_count> code_lengths = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,  // 0x00
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,  // 0x10
     6, 10, 10, 12, 13,  6,  8, 11, 10, 10,  8, 11,  8,  6,  6,  6,  // 0x20
     5,  5,  5,  6,  6,  6,  6,  6,  6,  6,  7,  8, 15,  6, 12, 10,  // 0x30
    13,  6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  // 0x40
     7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8, 13, 19, 13, 14,  6,  // 0x50
    15,  5,  6,  5,  6,  5,  6,  6,  6,  5,  7,  7,  6,  6,  6,  5,  // 0x60
     6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7, 15, 11, 14, 13, 28,  // 0x70
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,  // 0x80
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,  // 0x90
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,  // 0xa0
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,  // 0xb0
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,  // 0xc0
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,  // 0xd0
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,  // 0xe0
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,  // 0xf0
    30,  // 0x100
};
// clang-format on

struct Code {
  std::uint32_t bits = 0;  // in the low `length` bits
  std::uint8_t length = 0;
};

/// Everything that follows from the lengths.
struct Tables {
  /// The codes of the octets, and of EOS.
  std::array<Code, symbol_count> codes{};
  /// The symbols in the order of their codes.
  std::array<std::uint16_t, symbol_count> sorted{};
  /// Of each length: the first code, and where its symbol stands in `sorted`.
  std::array<std::uint32_t, max_code_length + 1> first_code{};
  std::array<std::uint32_t, max_code_length + 1> first_position{};
  /// Of each length: the least 32-bit window, code at its top, that is beyond its codes. A window
  /// holds a code of the shortest length whose limit is above it.
  std::array<std::uint64_t, max_code_length + 1> limit{};

  /// The symbol of a code of at most 8 bits, by the 8 bits that it begins with; length 0 where
  /// the code is longer.
  struct Short {
    std::uint8_t symbol = 0;
    std::uint8_t length = 0;
  };
  std::array<Short, 256> short_codes{};
};

constexpr Tables make_tables() {
  Tables made;
  std::uint32_t code = 0;
  std::uint32_t position = 0;
  for (unsigned length = 1; length <= max_code_length; ++length) {
    code <<= 1U;
    made.first_code[length] = code;
    made.first_position[length] = position;
    for (std::size_t symbol = 0; symbol < symbol_count; ++symbol) {
      if (code_lengths[symbol] != length) continue;
      made.codes[symbol] = {code, static_cast<std::uint8_t>(length)};
      made.sorted[position] = static_cast<std::uint16_t>(symbol);
      if (length <= 8) {
        const std::uint32_t first = code << (8U - length);
        for (std::uint32_t i = 0; i < 1U << (8U - length); ++i) {
          made.short_codes[first + i] = {static_cast<std::uint8_t>(symbol),
                                         static_cast<std::uint8_t>(length)};
        }
      }
      ++code;
      ++position;
    }
    made.limit[length] = static_cast<std::uint64_t>(code) << (32U - length);
  }
  return made;
}

inline constexpr Tables tables = make_tables();

static_assert(tables.codes['0'].bits == 0 && tables.codes['0'].length == 5);
static_assert(tables.codes[end_of_string].bits == 0x3fff'ffff, "EOS is all ones");
static_assert(tables.limit[max_code_length] == 1ULL << 32U, "every window holds a code");

}  // namespace nearcall::inline v0::detail::http2::huffman
