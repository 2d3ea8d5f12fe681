// SPDX-License-Identifier: Apache-2.0
// HeaderList: what it says of its fields, how long they live, and its tokens.
#include "http2/hpack/header_list.hpp"

#include "hex.hpp"
#include "http2/hpack/decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

namespace nearcall::inline v0::detail::http2 {
namespace {

using testing::ElementsAre;

/// ":authority: a" into the table, then it is index 62: "be".
constexpr std::string_view insert_authority = "4101 61";

void decode(HpackDecoder& decoder, std::string_view block, HeaderList& list) {
  ASSERT_TRUE(decoder.decode(from_hex(block), list)) << block;
}

TEST(HeaderList, CountsThirtyTwoBytesAField) {
  HpackDecoder decoder;
  HeaderList list;

  decode(decoder, "82 0001 6102 6263", list);  // ":method: GET", "a: bc"

  EXPECT_EQ(list.list_size(), (7U + 3 + 32) + (1 + 2 + 32));
  EXPECT_EQ(list.size(), 2U);
  EXPECT_EQ(list[1], (HeaderView{"a", "bc"}));
}

TEST(HeaderList, IsEmptyOnceCleared) {
  HpackDecoder decoder;
  HeaderList list;
  decode(decoder, "82", list);

  list.clear();

  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.list_size(), 0U);
  EXPECT_EQ(list.head_token(), 0U);
}

TEST(HeaderList, KeepsItsFieldsWhenTheDecoderGoesOn) {
  auto decoder = std::make_unique<HpackDecoder>();
  HeaderList list;
  decode(*decoder, insert_authority, list);
  decode(*decoder, "be82 0001 7801 79", list);
  HeaderList other;
  decode(*decoder, "20 3fe1 1f 4201 78", other);  // evicts everything

  EXPECT_THAT(list.fields(), ElementsAre(HeaderView{":authority", "a"},
                                         HeaderView{":method", "GET"}, HeaderView{"x", "y"}));
  decoder.reset();
  EXPECT_EQ(list[0], (HeaderView{":authority", "a"}));
}

TEST(HeaderList, HasATokenFromTheThirdBlockWithTheSameHeadOn) {
  HpackDecoder decoder;
  HeaderList list;
  decode(decoder, insert_authority, list);
  EXPECT_EQ(list.head_token(), 0U);
  decode(decoder, "8286be", list);
  EXPECT_EQ(list.head_token(), 0U);
  decode(decoder, "8286be", list);
  EXPECT_EQ(list.head_token(), 0U);

  decode(decoder, "8286be", list);

  EXPECT_NE(list.head_token(), 0U);
  EXPECT_EQ(list.head_count(), 3U);
  EXPECT_EQ(list.size(), 3U);
  EXPECT_EQ(list.list_size(), 42U + (7 + 4 + 32) + (10 + 1 + 32));
}

TEST(HeaderList, HasTheSameTokenWhateverFollowsTheHead) {
  HpackDecoder decoder;
  HeaderList list;
  for (int i = 0; i < 3; ++i) {
    decode(decoder, "8286", list);
  }
  const std::uint32_t token = list.head_token();
  ASSERT_NE(token, 0U);

  decode(decoder, "8286 0001 6101 62", list);

  EXPECT_EQ(list.head_token(), token);
  EXPECT_EQ(list.head_count(), 2U);
  EXPECT_THAT(list.fields(), ElementsAre(HeaderView{":method", "GET"},
                                         HeaderView{":scheme", "http"}, HeaderView{"a", "b"}));
  decode(decoder, "8286 0001 6301 64", list);
  EXPECT_EQ(list[2], (HeaderView{"c", "d"}));
  EXPECT_EQ(list.size(), 3U);
}

TEST(HeaderList, HasAnotherTokenForOtherFields) {
  HpackDecoder decoder;
  HeaderList list;
  for (int i = 0; i < 3; ++i) {
    decode(decoder, "8286", list);
  }
  const std::uint32_t get = list.head_token();
  for (int i = 0; i < 3; ++i) {
    decode(decoder, "8386", list);
  }
  const std::uint32_t post = list.head_token();

  EXPECT_NE(get, 0U);
  EXPECT_NE(post, 0U);
  EXPECT_NE(get, post);
  decode(decoder, "8286", list);
  EXPECT_EQ(list.head_token(), get);
  EXPECT_EQ(list[0].value, "GET");
}

TEST(HeaderList, GetsANewTokenWhenTheSameBytesMeanOtherFields) {
  HpackDecoder decoder;
  HeaderList list;
  decode(decoder, insert_authority, list);
  for (int i = 0; i < 3; ++i) {
    decode(decoder, "82be", list);
  }
  const std::uint32_t before = list.head_token();
  ASSERT_NE(before, 0U);

  decode(decoder, "4101 62", list);  // another ":authority" is 62 now
  for (int i = 0; i < 3; ++i) {
    decode(decoder, "82be", list);
    EXPECT_EQ(list[1], (HeaderView{":authority", "b"}));
    EXPECT_NE(list.head_token(), before);
  }
  EXPECT_NE(list.head_token(), 0U);
}

TEST(HeaderList, MayServeSeveralDecodersInTurn) {
  HpackDecoder one;
  HpackDecoder two;
  HeaderList list;
  decode(one, insert_authority, list);
  decode(two, "4101 62", list);
  for (int i = 0; i < 5; ++i) {
    decode(one, "be", list);
    EXPECT_EQ(list[0].value, "a");
    decode(two, "be", list);
    EXPECT_EQ(list[0].value, "b");
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
