// SPDX-License-Identifier: Apache-2.0
// The dynamic table: order, sizes, eviction, generations, against a plain model.
#include "http2/hpack/dynamic_table.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(DynamicTable, PutsTheNewestFirst) {
  DynamicTable table(4096);

  table.insert("a", "1");
  table.insert("b", "22");

  ASSERT_EQ(table.entry_count(), 2U);
  EXPECT_EQ(table.entry(0), (HeaderView{"b", "22"}));
  EXPECT_EQ(table.entry(1), (HeaderView{"a", "1"}));
  EXPECT_EQ(table.size(), 34U + 35U);
}

TEST(DynamicTable, EvictsTheOldestWhenTheSumIsAboveItsBound) {
  DynamicTable table(34 * 3);
  for (const std::string_view name : {"a", "b", "c"}) {
    table.insert(name, "1");
  }
  EXPECT_EQ(table.entry_count(), 3U) << "exactly full";

  table.insert("d", "1");
  EXPECT_EQ(table.entry_count(), 3U);
  EXPECT_EQ(table.entry(2).name, "b");

  table.insert("e", "12");  // one byte more: two have to go
  EXPECT_EQ(table.entry_count(), 2U);
  EXPECT_EQ(table.entry(1).name, "d");
}

TEST(DynamicTable, IsEmptiedByAnEntryThatIsTooLarge) {
  DynamicTable table(100);
  table.insert("a", "1");
  table.insert("b", std::string(67, 'x'));  // 100 bytes
  EXPECT_EQ(table.entry_count(), 1U);
  EXPECT_EQ(table.size(), 100U);

  table.insert("b", std::string(68, 'x'));

  EXPECT_EQ(table.entry_count(), 0U);
  EXPECT_EQ(table.size(), 0U);
}

TEST(DynamicTable, EvictsWhenItsBoundShrinks) {
  DynamicTable table(4096);
  for (const std::string_view name : {"a", "b", "c"}) {
    table.insert(name, "1");
  }

  table.set_max_size(34 * 2);
  EXPECT_EQ(table.entry_count(), 2U);
  table.set_max_size(34 * 2 - 1);
  EXPECT_EQ(table.entry_count(), 1U);
  table.set_max_size(0);
  EXPECT_EQ(table.entry_count(), 0U);
  table.insert("a", "1");
  EXPECT_EQ(table.entry_count(), 0U);
}

TEST(DynamicTable, ChangesItsGenerationExactlyWhenItsEntriesChange) {
  DynamicTable table(34);
  const auto start = table.generation();
  table.set_max_size(40);
  table.clear();
  EXPECT_EQ(table.generation(), start);

  table.insert("a", "1");
  const auto inserted = table.generation();
  EXPECT_NE(inserted, start);

  table.set_max_size(33);
  EXPECT_NE(table.generation(), inserted);
}

TEST(DynamicTable, FindsTheNewestExactMatchAndElseTheNewestName) {
  DynamicTable table(4096);
  table.insert("a", "1");
  table.insert("a", "2");
  table.insert("b", "1");

  EXPECT_TRUE(table.find("a", "1").is_exact);
  EXPECT_EQ(table.find("a", "1").position, 2U);
  EXPECT_TRUE(table.find("a", "3").found);
  EXPECT_FALSE(table.find("a", "3").is_exact);
  EXPECT_EQ(table.find("a", "3").position, 1U);
  EXPECT_FALSE(table.find("c", "1").found);
}

TEST(DynamicTable, AgreesWithAPlainModel) {
  std::mt19937 random(20);
  std::uint32_t max_size = 4096;
  DynamicTable table(max_size);
  std::deque<std::pair<std::string, std::string>> model;
  const auto model_size = [&model] {
    std::size_t size = 0;
    for (const auto& [name, value] : model) {
      size += name.size() + value.size() + 32;
    }
    return size;
  };

  for (int step = 0; step < 20'000; ++step) {
    if (random() % 200 == 0) {
      max_size = static_cast<std::uint32_t>(random() % 5000);
      table.set_max_size(max_size);
    } else {
      const std::string name(random() % 20, static_cast<char>('a' + random() % 26));
      const std::string value(random() % (random() % 50 == 0 ? 5000 : 60), 'v');
      table.insert(name, value);
      model.emplace_front(name, value);
    }
    while (model_size() > max_size) {
      model.pop_back();
    }

    ASSERT_EQ(table.entry_count(), model.size());
    ASSERT_EQ(table.size(), model_size());
    for (std::uint32_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(table.entry(i), (HeaderView{model[i].first, model[i].second}));
    }
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
