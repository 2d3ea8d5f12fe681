// SPDX-License-Identifier: Apache-2.0
// HeadCache: where a head ends, when it is kept, and when it goes.
#include "http2/hpack/head_cache.hpp"

#include "hex.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

std::uint32_t head_size(std::string_view digits) {
  return HeadKey::of(from_hex(digits)).size;
}

/// A key of three bytes that differs for each number below 2^12.
HeadKey key_number(unsigned number) {
  const Bytes bytes = {std::byte{0x82},
                       std::byte{0x81} | static_cast<std::byte>(number >> 6U << 1U),
                       std::byte{0x80} | static_cast<std::byte>(number & 0x3fU)};
  return HeadKey::of(bytes);
}

TEST(HeadKey, EndsBeforeTheFirstByteThatIsNotAWholeIndexedField) {
  EXPECT_EQ(head_size(""), 0U);
  EXPECT_EQ(head_size("82"), 1U);
  EXPECT_EQ(head_size("8286 84be"), 4U);
  EXPECT_EQ(head_size("82 41 8286"), 1U) << "a literal";
  EXPECT_EQ(head_size("3f e1 1f 82"), 0U) << "a size update";
  EXPECT_EQ(head_size("8283 ff00 82"), 2U) << "an index that goes on in the next byte";
  EXPECT_EQ(head_size("ff00"), 0U);
}

TEST(HeadKey, FindsTheEndAtEachPosition) {
  for (const std::byte end : {std::byte{0x7f}, std::byte{0x00}, std::byte{0xff}}) {
    for (std::size_t size = 0; size <= 20; ++size) {
      for (std::size_t behind = 0; behind < 3; ++behind) {
        Bytes block(size, std::byte{0xfe});
        block.push_back(end);
        block.insert(block.end(), behind, std::byte{0x80});

        EXPECT_EQ(HeadKey::of(block).size, std::min<std::size_t>(size, 16)) << size;
      }
    }
  }
}

TEST(HeadKey, OfSixteenBytesOrMoreIsTheFirstSixteen) {
  EXPECT_EQ(HeadKey::of(Bytes(16, std::byte{0x82})).size, 16U);
  EXPECT_EQ(HeadKey::of(Bytes(15, std::byte{0x82})).size, 15U);
  EXPECT_TRUE(
      HeadKey::of(Bytes(16, std::byte{0x82})).matches(HeadKey::of(Bytes(40, std::byte{0x82}))));
}

TEST(HeadKey, IsTheSameWhateverFollows) {
  EXPECT_TRUE(HeadKey::of(from_hex("8286 0001 61")).matches(HeadKey::of(from_hex("8286"))));
  EXPECT_FALSE(HeadKey::of(from_hex("828684")).matches(HeadKey::of(from_hex("8286"))));
}

TEST(HeadCache, NotesAKeyFirstAndHasItsHeadOnceItIsStored) {
  HeadCache cache;
  const HeadKey key = HeadKey::of(from_hex("8286"));
  EXPECT_EQ(cache.find(key, 1).sighting, HeadCache::Sighting::first);
  EXPECT_EQ(cache.find(key, 1).sighting, HeadCache::Sighting::repeated);
  {
    const std::string name = "name";
    const std::string value = "value";
    const std::vector<HeaderView> fields = {{name, value}, {"x", ""}};
    cache.store(key, fields);
  }

  const auto found = cache.find(key, 1);

  ASSERT_NE(found.head, nullptr);
  const HeadRef head = *found.head;
  ASSERT_EQ(head->fields().size(), 2U);
  EXPECT_EQ(head->fields()[0], (HeaderView{"name", "value"}));
  EXPECT_EQ(head->fields()[1], (HeaderView{"x", ""}));
  EXPECT_EQ(head->list_size(), 41U + 33U);
  EXPECT_NE(head->token(), 0U);
}

TEST(HeadCache, ForgetsEverythingWhenTheTableChanges) {
  HeadCache cache;
  const HeadKey key = HeadKey::of(from_hex("8286"));
  const std::vector<HeaderView> fields = {{"a", "1"}, {"b", "2"}};
  cache.find(key, 1);
  cache.find(key, 1);
  cache.store(key, fields);
  const HeadRef kept = *cache.find(key, 1).head;

  EXPECT_EQ(cache.find(key, 2).head, nullptr);
  EXPECT_EQ(cache.find(key, 2).sighting, HeadCache::Sighting::repeated);
  cache.store(key, fields);

  EXPECT_NE((*cache.find(key, 2).head)->token(), kept->token());
  EXPECT_EQ(kept->fields()[0], (HeaderView{"a", "1"})) << "a share outlives the cache's";
}

TEST(HeadCache, HasAWholeBlockOnlyWhereItIsAllHead) {
  HeadCache cache;
  const HeadKey key = HeadKey::of(from_hex("8286"));
  const std::vector<HeaderView> fields = {{"a", "1"}, {"b", "2"}};
  cache.find(key, 1);
  EXPECT_EQ(cache.find_whole(from_hex("8286"), 1), nullptr) << "noted, but not stored";
  cache.find(key, 1);
  cache.store(key, fields);

  const HeadRef* const found = cache.find_whole(from_hex("8286"), 1);

  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->get(), cache.find(key, 1).head->get());
  for (const char* const other :
       {"", "82", "8283", "828600", "82860000", "828684", "82860400", "8286000000000000",
        "82860000000000000000000000000000", "8286000000000000000000000000000000"}) {
    EXPECT_EQ(cache.find_whole(from_hex(other), 1), nullptr) << other;
  }
  EXPECT_EQ(cache.find_whole(from_hex("8286"), 2), nullptr) << "the table has changed";
}

TEST(HeadCache, DoesNotKeepLongHeads) {
  HeadCache cache;
  const HeadKey key = HeadKey::of(from_hex("82"));
  cache.find(key, 1);
  cache.find(key, 1);

  const std::string too_long(HeadCache::max_text, 'x');
  cache.store(key, std::vector<HeaderView>{{"n", too_long}});
  EXPECT_EQ(cache.find(key, 1).head, nullptr);

  const std::string just_right(HeadCache::max_text - 1, 'x');
  cache.store(key, std::vector<HeaderView>{{"n", just_right}});
  EXPECT_NE(cache.find(key, 1).head, nullptr);
}

TEST(HeadCache, KeepsABoundedNumberOfHeads) {
  HeadCache cache;
  const std::vector<HeaderView> fields = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  for (unsigned number = 0; number < 1000; ++number) {
    const HeadKey key = key_number(number);
    ASSERT_EQ(key.size, 3U);
    ASSERT_EQ(cache.find(key, 1).sighting, HeadCache::Sighting::first);
    cache.find(key, 1);
    cache.store(key, fields);
    ASSERT_NE(cache.find(key, 1).head, nullptr);
  }

  std::size_t kept = 0;
  for (unsigned number = 1000; number-- > 0;) {
    if (cache.find(key_number(number), 1).head != nullptr) ++kept;
  }
  EXPECT_GT(kept, 0U);
  EXPECT_LE(kept, HeadCache::slot_count);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
