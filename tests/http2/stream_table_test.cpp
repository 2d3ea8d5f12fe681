// SPDX-License-Identifier: Apache-2.0
// StreamTable: against a std::map, and that addresses stay.
#include "http2/stream_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(StreamTable, FindsWhatWasAddedAndNothingElse) {
  StreamTable table;
  EXPECT_EQ(table.find(1), nullptr);
  Stream& stream = table.add(1);
  EXPECT_EQ(stream.id(), 1U);
  EXPECT_EQ(table.find(1), &stream);
  EXPECT_EQ(table.find(3), nullptr);
  EXPECT_EQ(table.size(), 1U);
  table.remove(stream);
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_EQ(table.size(), 0U);
}

TEST(StreamTable, GivesAFreshStreamInAnOldPlace) {
  StreamTable table;
  int owner = 0;
  Stream& first = table.add(1);
  first.set_context(&owner);
  table.remove(first);
  Stream& second = table.add(3);
  EXPECT_EQ(&second, &first) << "the last place that was left is warm";
  EXPECT_EQ(second.context(), nullptr);
  EXPECT_FALSE(second.is_closed());
}

TEST(StreamTable, AgreesWithAMapForIdsThatCollide) {
  std::mt19937 random(1);
  StreamTable table;
  std::map<StreamId, Stream*> expected;
  StreamId next = 1;
  for (int step = 0; step < 20'000; ++step) {
    // Grows and shrinks in waves, up to some hundred streams; ids in runs and far apart.
    const bool grows = (step / 700) % 2 == 0;
    if (expected.empty() || random() % 10 < (grows ? 7U : 3U)) {
      next += random() % 20 == 0 ? 2U << (random() % 12) : 2U;
      expected[next] = &table.add(next);
    } else {
      auto gone = expected.begin();
      std::advance(gone, static_cast<std::ptrdiff_t>(random() % expected.size()));
      table.remove(*gone->second);
      EXPECT_EQ(table.find(gone->first), nullptr);
      expected.erase(gone);
    }
    ASSERT_EQ(table.size(), expected.size());
    if (step % 50 != 0) continue;
    for (const auto& [id, stream] : expected) {
      ASSERT_EQ(table.find(id), stream) << id;
      ASSERT_EQ(stream->id(), id);
    }
  }
}

TEST(StreamTable, TakesTheHighestId) {
  StreamTable table;
  Stream& stream = table.add(max_stream_id);
  EXPECT_EQ(table.find(max_stream_id), &stream);
}

TEST(StreamTable, VisitsEachStreamOnceWhileTheVisitorRemovesThem) {
  StreamTable table;
  for (StreamId id = 1; id < 200; id += 2) {
    table.add(id);
  }
  std::set<StreamId> visited;
  table.for_each([&](Stream& stream) {
    EXPECT_TRUE(visited.insert(stream.id()).second);
    if (stream.id() % 3 == 0) table.remove(stream);
  });
  EXPECT_EQ(visited.size(), 100U);
  EXPECT_EQ(table.size(), 67U);
}

TEST(StreamTable, VisitsInTheOrderOfMakingOrTheOtherWayRoundWhereNoneHasGone) {
  StreamTable table;
  for (StreamId id = 1; id < 200; id += 2) {
    table.add(id);
  }
  std::vector<StreamId> visited;
  table.for_each([&](Stream& stream) { visited.push_back(stream.id()); });
  EXPECT_EQ(visited.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(visited));

  visited.clear();
  table.for_each_from_newest([&](Stream& stream) { visited.push_back(stream.id()); });
  EXPECT_EQ(visited.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(visited, std::greater()));
}

TEST(StreamTable, GivesMemoryBackOnlyWhenItIsEmpty) {
  StreamTable table;
  table.trim();
  Stream& stream = table.add(5);
  table.trim();
  EXPECT_EQ(table.find(5), &stream);
  table.remove(stream);
  table.trim();
  EXPECT_EQ(table.find(5), nullptr);
  EXPECT_EQ(table.add(7).id(), 7U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
