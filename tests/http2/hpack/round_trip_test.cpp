// SPDX-License-Identifier: Apache-2.0
// Our encoder against our decoder on random lists, and the decoder on damaged and random bytes.
#include "hex.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"
#include "random_fields.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace nearcall::inline v0::detail::http2 {
namespace {

void expect_same(const HeaderList& list, std::span<const HeaderField> fields) {
  ASSERT_FALSE(list.is_truncated());
  ASSERT_EQ(list.size(), fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    ASSERT_EQ(list[i].name, fields[i].name);
    ASSERT_EQ(list[i].value, fields[i].value);
  }
}

TEST(HpackRoundTrip, CarriesRandomListsWhileTheTableSizeChanges) {
  RandomFields random(1);
  HpackEncoder encoder;
  HpackDecoder decoder;
  HeaderList list;
  for (int i = 0; i < 5'000; ++i) {
    if (random.one_in(20)) {
      for (int changes = random.below(3); changes >= 0; --changes) {
        const std::uint32_t size = random.table_size();
        decoder.set_max_table_size(size);
        encoder.set_peer_max_table_size(size);
      }
    }
    const std::vector<HeaderField> fields = random.fields();
    Bytes block;
    encoder.encode(fields, block);

    const auto decoded = decoder.decode(block, list);

    ASSERT_TRUE(decoded) << decoded.error().what;
    expect_same(list, fields);
    ASSERT_EQ(encoder.table().size(), decoder.table().size());
    ASSERT_EQ(encoder.table().entry_count(), decoder.table().entry_count());
  }
}

TEST(HpackRoundTrip, CarriesRepeatedListsThroughBothCaches) {
  struct Template {
    std::vector<HeaderField> fields;
    EncodedBlock cache;
  };
  RandomFields random(2);
  HpackEncoder encoder;
  HpackDecoder decoder;
  HeaderList list;
  std::array<Template, 12> templates;
  for (Template& one : templates) {
    one.fields = random.small_list();
  }
  int from_cache = 0;
  for (int i = 0; i < 20'000; ++i) {
    Template& chosen = templates[static_cast<std::size_t>(random.below(12))];
    std::vector<HeaderField> expected = chosen.fields;
    const std::vector<HeaderField> varying = random.varying_fields();
    expected.insert(expected.end(), varying.begin(), varying.end());
    Bytes block;
    encoder.encode(chosen.fields, chosen.cache, block);
    encoder.encode(varying, block);

    const auto decoded = decoder.decode(block, list);

    ASSERT_TRUE(decoded) << decoded.error().what;
    expect_same(list, expected);
    if (list.head_token() != 0) ++from_cache;
  }
  EXPECT_GT(from_cache, 10'000);
}

TEST(HpackRoundTrip, SurvivesDamagedBlocks) {
  RandomFields random(3);
  for (int round = 0; round < 300; ++round) {
    HpackEncoder encoder;
    HpackDecoder decoder({.max_list_size = 1000, .max_fields = 20});
    HeaderList list;
    for (int i = 0; i < 20; ++i) {
      Bytes block;
      encoder.encode(random.fields(), block);
      for (int flips = random.below(3); flips > 0 && !block.empty(); --flips) {
        block[static_cast<std::size_t>(random.below(static_cast<int>(block.size())))] =
            static_cast<std::byte>(random.below(256));
      }
      block.resize(block.size() - static_cast<std::size_t>(random.below(2)) % (block.size() + 1));
      block.shrink_to_fit();
      if (!decoder.decode(block, list)) break;
      ASSERT_LE(list.list_size(), 1000U);
      ASSERT_LE(list.size(), 20U);
      ASSERT_LE(decoder.table().size(), decoder.table().max_size());
    }
  }
}

TEST(HpackRoundTrip, SurvivesRandomBytes) {
  RandomFields random(4);
  int decoded = 0;
  for (int round = 0; round < 20'000; ++round) {
    HpackDecoder decoder;
    HeaderList list;
    for (int i = 0; i < 4; ++i) {
      Bytes block(static_cast<std::size_t>(random.below(40)));
      std::ranges::generate(block, [&random] { return static_cast<std::byte>(random.below(256)); });
      if (!decoder.decode(block, list)) break;
      ++decoded;
    }
  }
  EXPECT_GT(decoded, 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
