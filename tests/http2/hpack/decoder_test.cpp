// SPDX-License-Identifier: Apache-2.0
// HpackDecoder: what breaks a connection, what only exceeds a limit, and eviction within a block.
#include "http2/hpack/decoder.hpp"

#include "hex.hpp"
#include "http2/hpack/integer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

using testing::ElementsAre;

/// "", or why the block was refused.
std::string refusal(HpackDecoder& decoder, ByteSpan block) {
  HeaderList list;
  const Bytes exact(block.begin(), block.end());  // so that a sanitizer sees a read past the end
  const auto decoded = decoder.decode(exact, list);
  if (decoded) return "";
  EXPECT_TRUE(list.empty());
  EXPECT_TRUE(decoded.error().is_connection_error());
  EXPECT_EQ(decoded.error().code, ErrorCode::compression_error);
  return std::string(decoded.error().what);
}
std::string refusal(HpackDecoder& decoder, std::string_view digits) {
  return refusal(decoder, from_hex(digits));
}
std::string refusal(std::string_view digits) {
  HpackDecoder decoder;
  return refusal(decoder, digits);
}

void append_integer(Bytes& block, unsigned pattern, unsigned prefix_bits, std::size_t value) {
  std::array<std::byte, max_encoded_integer_size> bytes{};
  std::byte* const end = encode_integer(bytes.data(), static_cast<std::byte>(pattern), prefix_bits,
                                        static_cast<std::uint32_t>(value));
  block.insert(block.end(), bytes.data(), end);
}
void append_string(Bytes& block, std::string_view text) {
  append_integer(block, 0x00, 7, text.size());
  const ByteSpan bytes = as_bytes(text);
  block.insert(block.end(), bytes.begin(), bytes.end());
}
/// A literal with a new name; pattern 0x40 goes into the table, 0x00 does not.
void append_literal(Bytes& block, unsigned pattern, std::string_view name, std::string_view value) {
  block.push_back(static_cast<std::byte>(pattern));
  append_string(block, name);
  append_string(block, value);
}

TEST(HpackDecoder, DecodesAnEmptyBlockToAnEmptyList) {
  HpackDecoder decoder;
  HeaderList list;

  EXPECT_TRUE(decoder.decode({}, list));
  EXPECT_TRUE(list.empty());
}

TEST(HpackDecoder, RefusesIndicesThatMeanNothing) {
  EXPECT_EQ(refusal("80"), "index 0");
  EXPECT_EQ(refusal("bd"), "") << "61 is the last static entry";
  EXPECT_EQ(refusal("be"), "index beyond the dynamic table");
  EXPECT_EQ(refusal("4101 61 be"), "");
  EXPECT_EQ(refusal("4101 61 bf"), "index beyond the dynamic table");
  EXPECT_EQ(refusal("ff00"), "index beyond the dynamic table");
  EXPECT_EQ(refusal("ffff ffff 7f"), "index beyond the dynamic table");
  EXPECT_EQ(refusal("7f00 01 61"), "index beyond the dynamic table") << "of a literal's name";
  EXPECT_EQ(refusal("82be"), "index beyond the dynamic table") << "behind fields that are fine";
}

TEST(HpackDecoder, RefusesIntegersOfMoreThanFiveBytes) {
  EXPECT_EQ(refusal("ff80 8080 8001"), "integer cut off or longer than 5 bytes");
  EXPECT_EQ(refusal("00 7f80 8080 8001"), "integer cut off or longer than 5 bytes");
}

TEST(HpackDecoder, RefusesAStringLongerThanTheRestBeforeReadingIt) {
  constexpr std::string_view too_long = "string longer than the rest of the block";
  EXPECT_EQ(refusal("00 02 61"), too_long);
  EXPECT_EQ(refusal("00 01 61 02 62"), too_long);
  EXPECT_EQ(refusal("00 ffff ffff 7f 61"), too_long) << "Huffman";
  EXPECT_EQ(refusal("00 01 61"), "string cut off");
}

TEST(HpackDecoder, RefusesBadHuffmanStrings) {
  constexpr std::string_view bad = "Huffman string with bad padding or EOS";
  EXPECT_EQ(refusal("00 01 61 81 ff"), bad);
  EXPECT_EQ(refusal("00 01 61 81 00"), bad);
  EXPECT_EQ(refusal("00 01 61 84 ffff ffff"), bad);
  EXPECT_EQ(refusal("00 01 61 81 07"), "") << "'0' and three ones";
}

TEST(HpackDecoder, EitherDecodesOrRefusesEveryTruncation) {
  const Bytes whole = from_hex(
      "3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6"
      "2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3 88c1 0f0d 0131 1008 7061 7373"
      "776f 7264 0673 6563 7265 74");
  std::size_t decoded = 0;
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    HpackDecoder decoder;
    if (refusal(decoder, ByteSpan(whole).first(size)).empty()) ++decoded;
  }
  EXPECT_EQ(decoded, 10U) << "nothing, the update, and behind each of the eight fields";
}

TEST(HpackDecoder, TakesUpToTwoSizeUpdatesAtTheStart) {
  EXPECT_EQ(refusal("20"), "");
  EXPECT_EQ(refusal("20 3fe1 1f 82"), "");
  EXPECT_EQ(refusal("20 20 20"), "more than two dynamic table size updates");
  EXPECT_EQ(refusal("82 20"), "dynamic table size update after a field");
  EXPECT_EQ(refusal("20 82 20"), "dynamic table size update after a field");
}

TEST(HpackDecoder, TakesSizeUpdatesUpToTheSetting) {
  EXPECT_EQ(refusal("3fe0 1f"), "") << 4095;
  EXPECT_EQ(refusal("3fe1 1f"), "") << 4096;
  EXPECT_EQ(refusal("3fe2 1f"), "dynamic table size update above SETTINGS_HEADER_TABLE_SIZE");

  HpackDecoder decoder;
  decoder.set_max_table_size(8192);
  EXPECT_EQ(refusal(decoder, "3fe1 3f"), "") << 8192;
  EXPECT_EQ(decoder.table().max_size(), 8192U);
  EXPECT_EQ(refusal(decoder, "3fe2 3f"),
            "dynamic table size update above SETTINGS_HEADER_TABLE_SIZE");
}

TEST(HpackDecoder, RequiresASizeUpdateAfterTheSettingWasReduced) {
  constexpr std::string_view missing =
      "no dynamic table size update after SETTINGS_HEADER_TABLE_SIZE was reduced";
  for (const std::string_view block : {"82", "", "4101 61", "3f46 82" /* 101 */}) {
    HpackDecoder decoder;
    decoder.set_max_table_size(100);
    EXPECT_NE(refusal(decoder, block), "") << block;
  }
  HpackDecoder decoder;
  decoder.set_max_table_size(100);
  EXPECT_EQ(refusal(decoder, "3f45 82"), "") << "100";
  EXPECT_EQ(refusal(decoder, "82"), "") << "only the first block has to";
  decoder.set_max_table_size(99);
  EXPECT_EQ(refusal(decoder, "82"), missing);
}

TEST(HpackDecoder, RequiresTheLeastOfSeveralReductionsFirst) {
  const auto reduced_to_50_and_back = [] {
    HpackDecoder decoder;
    decoder.set_max_table_size(50);
    decoder.set_max_table_size(4096);
    return decoder;
  };
  HpackDecoder least_then_last = reduced_to_50_and_back();
  EXPECT_EQ(refusal(least_then_last, "3f13 3fe1 1f"), "");
  EXPECT_EQ(least_then_last.table().max_size(), 4096U);
  HpackDecoder least_alone = reduced_to_50_and_back();
  EXPECT_EQ(refusal(least_alone, "3f13"), "");
  HpackDecoder last_alone = reduced_to_50_and_back();
  EXPECT_NE(refusal(last_alone, "3fe1 1f"), "");
}

TEST(HpackDecoder, RequiresNoUpdateOfAPeerThatUsesLessAlready) {
  HpackDecoder decoder;
  EXPECT_EQ(refusal(decoder, "3f45"), "") << "the peer uses 100";

  decoder.set_max_table_size(2000);

  EXPECT_EQ(refusal(decoder, "82"), "");
}

TEST(HpackDecoder, EvictsWithinABlockWithoutHurtingItsEarlierFields) {
  HpackDecoder decoder;
  HeaderList list;
  Bytes block = from_hex("3f81 02");  // 288 bytes: room for two of these
  const std::string value(100, 'v');
  append_literal(block, 0x40, "first", value);
  block.push_back(std::byte{0xbe});  // "first" from the table
  for (const std::string_view name : {"second", "third", "fourth"}) {
    append_literal(block, 0x40, name, value);
    block.push_back(std::byte{0xbe});
  }

  ASSERT_TRUE(decoder.decode(block, list));

  EXPECT_EQ(decoder.table().entry_count(), 2U);
  EXPECT_THAT(list.fields(), ElementsAre(HeaderView{"first", value}, HeaderView{"first", value},
                                         HeaderView{"second", value}, HeaderView{"second", value},
                                         HeaderView{"third", value}, HeaderView{"third", value},
                                         HeaderView{"fourth", value}, HeaderView{"fourth", value}));
}

TEST(HpackDecoder, TakesANameFromTheEntryThatItsOwnInsertionEvicts) {
  HpackDecoder decoder;
  HeaderList list;
  Bytes block = from_hex("3f45");  // 100 bytes: room for one
  append_literal(block, 0x40, "the-name", std::string(40, 'a'));
  for (int i = 0; i < 20; ++i) {
    append_integer(block, 0x40, 6, 62);
    append_string(block, std::string(40, static_cast<char>('b' + i)));
  }

  ASSERT_TRUE(decoder.decode(block, list));

  ASSERT_EQ(list.size(), 21U);
  for (std::size_t i = 0; i < 21; ++i) {
    EXPECT_EQ(list[i], (HeaderView{"the-name", std::string(40, static_cast<char>('a' + i))}));
  }
  EXPECT_EQ(decoder.table().entry(0), (HeaderView{"the-name", std::string(40, 'u')}));
}

TEST(HpackDecoder, KeepsAsManyFieldsAsTheLimitSays) {
  for (const std::size_t count : {127U, 128U, 129U}) {
    HpackDecoder decoder;
    HeaderList list;

    ASSERT_TRUE(decoder.decode(Bytes(count, std::byte{0x82}), list));

    EXPECT_EQ(list.is_truncated(), count > 128);
    EXPECT_EQ(list.size(), count > 128 ? 0 : count);
  }
}

TEST(HpackDecoder, KeepsListsUpToTheLimitInSize) {
  constexpr std::size_t limit = 16 * 1024;
  for (const std::size_t total : {limit - 1, limit, limit + 1, 3 * limit}) {
    for (const unsigned pattern : {0x00U, 0x10U, 0x40U}) {
      HpackDecoder decoder;
      HeaderList list;
      Bytes block = from_hex("82");
      append_literal(block, pattern, "n", std::string(total - 42 - 33, 'x'));

      ASSERT_TRUE(decoder.decode(block, list));

      EXPECT_EQ(list.is_truncated(), total > limit);
      EXPECT_EQ(list.list_size(), total > limit ? 0 : total);
    }
  }
}

TEST(HpackDecoder, CountsTheDecodedSizeOfHuffmanStrings) {
  // '0' has 5 bits: 8 of them in 5 bytes of zeros. What is longer than either limit is only
  // counted.
  for (const std::size_t bytes : {5U * 1000, 5U * 2000, 5U * 2044, 5U * 2045, 5U * 5000}) {
    HpackDecoder decoder;
    HeaderList list;
    Bytes block = from_hex("00 01 6e");
    append_integer(block, 0x80, 7, bytes);
    block.insert(block.end(), bytes, std::byte{0});

    ASSERT_TRUE(decoder.decode(block, list));

    const std::size_t total = bytes / 5 * 8 + 33;
    EXPECT_EQ(list.is_truncated(), total > 16 * 1024) << total;
    if (!list.is_truncated()) {
      EXPECT_EQ(list[0].value, std::string(bytes / 5 * 8, '0'));
    }
    block.back() = std::byte{0xfe};
    EXPECT_NE(refusal(decoder, block), "") << "and malformed ones are refused at any size";
  }
}

TEST(HpackDecoder, StaysInStepWithThePeerBeyondTheLimits) {
  HpackDecoder decoder({.max_list_size = 100, .max_fields = 128});
  HeaderList list;
  Bytes block;
  append_literal(block, 0x40, "one", "1");
  append_literal(block, 0x00, "long", std::string(200, 'x'));
  append_literal(block, 0x40, "two", std::string(300, '2'));
  append_integer(block, 0x40, 6, 63);  // "one" again, with another value
  append_string(block, "3");
  append_literal(block, 0x40, "too long for the table", std::string(5000, 'x'));
  append_literal(block, 0x40, "four", "4");
  append_literal(block, 0x40, "five", "5");

  ASSERT_TRUE(decoder.decode(block, list));

  EXPECT_TRUE(list.is_truncated());
  EXPECT_TRUE(list.empty());
  ASSERT_EQ(decoder.table().entry_count(), 2U) << "the large one emptied the table";
  ASSERT_TRUE(decoder.decode(from_hex("be bf"), list));
  EXPECT_FALSE(list.is_truncated());
  EXPECT_THAT(list.fields(), ElementsAre(HeaderView{"five", "5"}, HeaderView{"four", "4"}));
}

TEST(HpackDecoder, RefusesABlockWhoseLiteralsAreTooMuchForTheirBytes) {
  constexpr std::size_t name_size = 4000;
  constexpr std::size_t each = name_size + field_overhead;
  for (const std::size_t copies : {std::size_t{9}, std::size_t{10}}) {
    HpackDecoder decoder({.max_literal_size = 10 * each});
    HeaderList list;
    Bytes block;
    append_literal(block, 0x40, std::string(name_size, 'n'), "");
    for (std::size_t i = 0; i < copies; ++i) {  // two bytes copy the name, and put it back
      append_integer(block, 0x40, 6, 62);
      append_string(block, "");
    }

    const auto decoded = decoder.decode(block, list);

    EXPECT_EQ(decoded.ok(), copies == 9);
    if (!decoded) {
      EXPECT_EQ(decoded.error().code, ErrorCode::enhance_your_calm);
    }
  }
}

TEST(HpackDecoder, CountsTheLiteralsOfEachBlockByItself) {
  HpackDecoder decoder({.max_literal_size = 100});
  HeaderList list;
  Bytes block;
  append_literal(block, 0x00, "name", "value");

  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(decoder.decode(block, list));
    EXPECT_EQ(decoder.literal_size(), 4U + 5U + field_overhead);
  }
  ASSERT_TRUE(decoder.decode(from_hex("82"), list));
  EXPECT_EQ(decoder.literal_size(), 0U) << "an indexed field is none";
}

TEST(HpackDecoder, RefusesABadBlockAlsoBeyondTheLimits) {
  HpackDecoder decoder({.max_list_size = 100, .max_fields = 2});
  EXPECT_EQ(refusal(decoder, "8282 8282 be"), "index beyond the dynamic table");
}

TEST(HpackDecoder, AppliesTheLimitsBehindACachedHead) {
  HpackDecoder decoder({.max_list_size = 16'384, .max_fields = 3});
  HeaderList list;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(decoder.decode(from_hex("8286"), list));
  }
  ASSERT_NE(list.head_token(), 0U);

  ASSERT_TRUE(decoder.decode(from_hex("8286 0001 6101 62"), list));
  EXPECT_FALSE(list.is_truncated());
  ASSERT_TRUE(decoder.decode(from_hex("8286 0001 6101 62 0001 6301 64"), list));
  EXPECT_TRUE(list.is_truncated());
  EXPECT_EQ(list.head_token(), 0U);

  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(decoder.decode(from_hex("8286 8482"), list));
    EXPECT_TRUE(list.is_truncated()) << "a head beyond the limits is not cached";
  }
}

TEST(HpackDecoder, DecodesARunOfMoreIndexedFieldsThanAHeadHolds) {
  HpackDecoder decoder;
  HeaderList list;
  const Bytes block(40, std::byte{0x82});
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(decoder.decode(block, list));
    ASSERT_EQ(list.size(), 40U);
    for (const HeaderView& field : list) {
      EXPECT_EQ(field.value, "GET");
    }
  }
  EXPECT_EQ(list.head_count(), 16U);
}

TEST(HpackDecoder, CachesNoHeadOfABlockThatChangesTheTable) {
  HpackDecoder decoder;
  HeaderList list;
  ASSERT_TRUE(decoder.decode(from_hex("4101 61"), list));
  for (char letter = 'b'; letter < 'h'; ++letter) {
    Bytes block = from_hex("be 4101");
    block.push_back(static_cast<std::byte>(letter));

    ASSERT_TRUE(decoder.decode(block, list));

    EXPECT_EQ(list.head_token(), 0U);
    EXPECT_EQ(list[0].value, std::string(1, static_cast<char>(letter - 1)));
    EXPECT_EQ(list[1].value, std::string(1, letter));
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
