// SPDX-License-Identifier: Apache-2.0
// Integers: the RFC's examples, every boundary of every prefix, and what is refused.
#include "http2/hpack/integer.hpp"

#include "hex.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nearcall::inline v0::detail::http2 {
namespace {

std::string encoded(std::uint32_t value, unsigned prefix_bits, std::byte pattern = {}) {
  std::array<std::byte, max_encoded_integer_size> bytes{};
  std::byte* const end = encode_integer(bytes.data(), pattern, prefix_bits, value);
  return to_hex({bytes.data(), end});
}

TEST(Integer, EncodesTheExamplesOfTheRfc) {
  EXPECT_EQ(encoded(10, 5), "0a");        // C.1.1
  EXPECT_EQ(encoded(1337, 5), "1f9a0a");  // C.1.2
  EXPECT_EQ(encoded(42, 8), "2a");        // C.1.3
}

TEST(Integer, KeepsThePatternAboveThePrefix) {
  EXPECT_EQ(encoded(2, 7, std::byte{0x80}), "82");
  EXPECT_EQ(encoded(4096, 5, std::byte{0x20}), "3fe11f");
}

TEST(Integer, ReadsBackEveryBoundaryOfEveryPrefix) {
  for (unsigned prefix_bits = 1; prefix_bits <= 8; ++prefix_bits) {
    const std::uint32_t mask = (1U << prefix_bits) - 1;
    for (const std::uint32_t step : {0U, 1U << 7U, 1U << 14U, 1U << 21U, (1U << 28U) - 2}) {
      for (const std::uint32_t around : {0U, 1U, 2U}) {
        if (mask + step + around == 0) continue;
        const std::uint32_t value = mask + step + around - 1;
        if (value >= mask + (1U << 28U)) continue;
        const Bytes bytes = from_hex(encoded(value, prefix_bits));

        const auto decoded = decode_integer(bytes, prefix_bits);

        ASSERT_TRUE(decoded) << value << " in " << prefix_bits;
        EXPECT_EQ(decoded->value, value);
        EXPECT_EQ(decoded->size, bytes.size());
      }
    }
  }
}

TEST(Integer, IgnoresTheBitsAboveThePrefixAndTheBytesBehind) {
  const auto decoded = decode_integer(from_hex("ff9a0aff"), 5);

  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->value, 1337U);
  EXPECT_EQ(decoded->size, 3U);
}

TEST(Integer, TakesFiveBytesAndRefusesSix) {
  const auto largest = decode_integer(from_hex("ffffffff7f"), 8);
  ASSERT_TRUE(largest);
  EXPECT_EQ(largest->value, 255U + (1U << 28U) - 1U);

  EXPECT_FALSE(decode_integer(from_hex("ffffffffff00"), 8));
  EXPECT_FALSE(decode_integer(from_hex("ff8080808000"), 8)) << "also when only padded with zeros";
  EXPECT_FALSE(decode_integer(from_hex(encoded(0xffff'ffff, 7)), 7));
}

TEST(Integer, AcceptsPaddingWithinFiveBytes) {
  const auto decoded = decode_integer(from_hex("1f80808000"), 5);

  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->value, 31U);
}

TEST(Integer, IsRefusedWhereverItIsCutOff) {
  const Bytes whole = from_hex("1fffffff7f");
  ASSERT_TRUE(decode_integer(whole, 5));

  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_integer(cut, 5)) << size;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
