// SPDX-License-Identifier: Apache-2.0
// Huffman: every symbol, every pair of them, every bad padding, EOS.
#include "http2/hpack/huffman.hpp"

#include "hex.hpp"
#include "http2/hpack/huffman_table.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nearcall::inline v0::detail::http2 {
namespace {

Bytes coded(std::string_view text) {
  Bytes bytes(huffman_encoded_size(text));
  EXPECT_EQ(huffman_encode(text, bytes.data()), bytes.data() + bytes.size());
  return bytes;
}

std::optional<std::string> decoded(ByteSpan bytes) {
  std::vector<char> text(huffman_decoded_bound(bytes.size()));
  const auto size = huffman_decode(bytes, text.data());
  EXPECT_EQ(huffman_decoded_size(bytes), size);
  if (!size) return std::nullopt;
  return std::string(text.data(), *size);
}

/// The bits of a string of '0' and '1', filled up with ones.
Bytes from_bits(std::string bits) {
  while (bits.size() % 8 != 0) {
    bits.push_back('1');
  }
  Bytes bytes(bits.size() / 8);
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i] == '1') bytes[i / 8] |= std::byte{0x80} >> (i % 8);
  }
  return bytes;
}

std::string bits_of(std::size_t symbol) {
  const huffman::Code code = huffman::tables.codes[symbol];
  std::string bits;
  for (unsigned i = code.length; i > 0; --i) {
    bits.push_back((code.bits >> (i - 1) & 1) != 0 ? '1' : '0');
  }
  return bits;
}

TEST(Huffman, CodesTheStringsOfTheRfc) {
  EXPECT_EQ(to_hex(coded("www.example.com")), "f1e3c2e5f23a6ba0ab90f4ff");
  EXPECT_EQ(to_hex(coded("no-cache")), "a8eb10649cbf");
  EXPECT_EQ(to_hex(coded("custom-value")), "25a849e95bb8e8b4bf");
  EXPECT_EQ(to_hex(coded("Mon, 21 Oct 2013 20:13:21 GMT")),
            "d07abe941054d444a8200595040b8166e082a62d1bff");
  EXPECT_EQ(to_hex(coded("")), "");
}

TEST(Huffman, HasTheCodesOfAppendixB) {
  const auto code = [](unsigned char symbol) { return huffman::tables.codes[symbol]; };
  EXPECT_EQ(code(0).bits, 0x1ff8U);
  EXPECT_EQ(code(1).bits, 0x7fffd8U);
  EXPECT_EQ(code(9).bits, 0xffffeaU);
  EXPECT_EQ(code(22).bits, 0x3ffffffeU);
  EXPECT_EQ(code('\\').bits, 0x7fff0U);
  EXPECT_EQ(code('z').bits, 0x7bU);
  EXPECT_EQ(code(127).bits, 0xffffffcU);
  EXPECT_EQ(code(199).bits, 0x1ffffecU);
  EXPECT_EQ(code(254).bits, 0x7fffff0U);
  EXPECT_EQ(code(255).bits, 0x3ffffeeU);
}

TEST(Huffman, ReadsBackEveryPairOfOctets) {
  std::string text(2, '\0');
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      text[0] = static_cast<char>(first);
      text[1] = static_cast<char>(second);
      ASSERT_EQ(decoded(coded(text)), text) << first << " " << second;
    }
  }
}

TEST(Huffman, ReadsBackEveryOctetBehindAnyNumberOfBits) {
  for (int octet = 0; octet < 256; ++octet) {
    for (std::size_t before = 0; before < 8; ++before) {
      // '0' has 5 bits, so eight of them begin the octet at every position of a byte.
      const std::string text = std::string(before, '0') + static_cast<char>(octet) + "&";
      ASSERT_EQ(decoded(coded(text)), text);
    }
  }
}

TEST(Huffman, ReadsBackRandomStringsOfAllLengths) {
  std::mt19937 random(7541);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string text(size, '\0');
    for (char& c : text) {
      c = static_cast<char>(random() % (size % 2 == 0 ? 256 : 128));
    }
    ASSERT_EQ(decoded(coded(text)), text);
  }
}

TEST(Huffman, DecodesNothingToNothing) {
  EXPECT_EQ(decoded({}), "");
}

TEST(Huffman, TakesUpToSevenBitsOfPadding) {
  // Codes of 5 to 8 bits and of 10, repeated, leave every number of bits from 0 to 7.
  for (std::size_t count = 1; count <= 8; ++count) {
    const std::string text(count, '0');
    EXPECT_EQ(decoded(coded(text)), text);
  }
}

TEST(Huffman, RefusesPaddingOfEightBitsOrMore) {
  for (std::size_t count = 0; count <= 8; ++count) {
    std::string bits;
    for (std::size_t i = 0; i < count; ++i) {
      bits += bits_of('0');
    }
    Bytes bytes = from_bits(bits);
    ASSERT_TRUE(decoded(bytes));

    bytes.push_back(std::byte{0xff});
    EXPECT_FALSE(decoded(bytes)) << count;
    bytes.push_back(std::byte{0xff});
    EXPECT_FALSE(decoded(bytes)) << count;
  }
}

TEST(Huffman, RefusesPaddingThatIsNotAllOnes) {
  for (std::size_t length = 1; length <= 7; ++length) {
    // 'a' to fill up: 8 - length bits of whole codes are not always possible, so use three bytes.
    std::string codes;
    while ((codes.size() + length) % 8 != 0) {
      codes += bits_of('0');
    }
    for (unsigned padding = 0; padding < 1U << length; ++padding) {
      std::string bits = codes;
      for (std::size_t i = length; i > 0; --i) {
        bits.push_back((padding >> (i - 1) & 1) != 0 ? '1' : '0');
      }
      const auto text = decoded(from_bits(bits));
      const bool is_all_ones = padding == (1U << length) - 1;
      // From 5 bits on some of these are a symbol and its own, shorter padding.
      if (text && text->size() == codes.size() / 5) {
        EXPECT_TRUE(is_all_ones) << bits;
      }
      if (is_all_ones || length < 5) {
        EXPECT_EQ(text.has_value(), is_all_ones) << bits;
      }
    }
  }
}

TEST(Huffman, RefusesEndOfStringWhereverItStands) {
  const std::string end_of_string(30, '1');
  EXPECT_FALSE(decoded(from_bits(end_of_string)));
  EXPECT_FALSE(decoded(from_bits(end_of_string + "00")));
  EXPECT_FALSE(decoded(from_bits(bits_of('a') + end_of_string)));
  EXPECT_FALSE(decoded(from_bits(bits_of('a') + end_of_string + bits_of('b'))));
  EXPECT_FALSE(decoded(from_bits(bits_of(255) + end_of_string + bits_of(255))));
}

TEST(Huffman, RefusesEveryCodeThatIsCutOff) {
  for (std::size_t symbol = 0; symbol < 256; ++symbol) {
    const Bytes whole = from_bits(bits_of(symbol));
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_FALSE(decoded(ByteSpan(whole).first(size))) << symbol << " " << size;
    }
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
