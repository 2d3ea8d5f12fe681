// SPDX-License-Identifier: Apache-2.0
// HeaderTemplate and TemplateCache: own copies, own numbers, and no mix-up where slots collide.
#include "http2/header_template.hpp"

#include "http2/hpack/decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(HeaderTemplate, CopiesItsFields) {
  std::string name = "x-name";
  std::string value = "value";
  const HeaderTemplate copy{{name, value, Indexing::never}, {"empty", ""}};
  name.assign(name.size(), '?');
  value.assign(value.size(), '?');
  ASSERT_EQ(copy.fields().size(), 2U);
  EXPECT_EQ(copy.fields()[0], (HeaderField{"x-name", "value", Indexing::never}));
  EXPECT_EQ(copy.fields()[1], (HeaderField{"empty", ""}));
}

TEST(HeaderTemplate, KeepsItsFieldsAndNumberWhenItMoves) {
  HeaderTemplate first{{"a", "b"}};
  const std::uint64_t id = first.id();
  const HeaderTemplate second = std::move(first);
  EXPECT_EQ(second.id(), id);
  EXPECT_EQ(second.fields()[0], (HeaderField{"a", "b"}));
}

TEST(HeaderTemplate, HasANumberOfItsOwn) {
  const HeaderTemplate first{{"a", "b"}};
  const HeaderTemplate second{{"a", "b"}};
  EXPECT_NE(first.id(), 0U);
  EXPECT_NE(first.id(), second.id());
}

TEST(HeaderTemplate, CountsThirtyTwoBytesForEachField) {
  const HeaderTemplate two{{":path", "/a"}, {"empty", ""}};
  EXPECT_EQ(two.list_size(), 5U + 2 + 32 + 5 + 32);
}

TEST(HeaderTemplate, MayBeEmpty) {
  const HeaderTemplate none(std::span<const HeaderField>{});
  EXPECT_TRUE(none.fields().empty());
  EXPECT_EQ(none.list_size(), 0U);
}

/// Encodes the template through the cache and gives its size; the peer must read the same fields.
class TemplateCacheTest : public testing::Test {
 protected:
  std::size_t encode(const HeaderTemplate& fields) {
    std::vector<std::byte> block;
    encoder_.encode(fields.fields(), cache_[fields], block);
    HeaderList list;
    EXPECT_TRUE(decoder_.decode(block, list));
    EXPECT_EQ(list.size(), fields.fields().size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_EQ(list[i].name, fields.fields()[i].name);
      EXPECT_EQ(list[i].value, fields.fields()[i].value);
    }
    return block.size();
  }

  HpackEncoder encoder_;
  HpackDecoder decoder_;
  TemplateCache cache_;
};

TEST_F(TemplateCacheTest, HoldsWhatWasEncoded) {
  const HeaderTemplate fields{{"x-first", "one"}, {"x-second", "two"}};
  EXPECT_GT(encode(fields), 10U);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(encode(fields), 2U);
  }
}

TEST_F(TemplateCacheTest, NeverGivesOneTemplatesBytesToAnother) {
  std::vector<HeaderTemplate> templates;
  for (std::size_t i = 0; i < 3 * TemplateCache::most_slots; ++i) {
    const std::string value = std::to_string(i);
    templates.push_back(HeaderTemplate{{"x", value}, {"y", value}});
  }
  for (int round = 0; round < 4; ++round) {
    for (const HeaderTemplate& fields : templates) {
      encode(fields);
    }
  }
}

TEST_F(TemplateCacheTest, KeepsAsManyAsItHasSlotsForWhateverTheirNumbers) {
  std::vector<HeaderTemplate> templates;
  for (std::size_t i = 0; i < TemplateCache::most_slots; ++i) {
    const std::string name = "x-name-" + std::to_string(i);
    templates.push_back(HeaderTemplate{{name, "value"}});
  }
  for (const HeaderTemplate& fields : templates)
    encode(fields);
  for (const HeaderTemplate& fields : templates)
    EXPECT_LE(encode(fields), 2U) << fields.fields()[0].name;
}

TEST_F(TemplateCacheTest, MayBeTrimmedAtAnyTime) {
  const HeaderTemplate fields{{"x-first", "one"}};
  for (int i = 0; i < 6; ++i) {
    encode(fields);
    cache_.trim();
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
