// SPDX-License-Identifier: Apache-2.0
// HotSources: who is polled, who is parked, who takes whose place.
#include "async/hot_sources.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

class FakeSource final : public SpinSource {
 public:
  bool spin_once() override {
    ++spins;
    return has_news;
  }
  bool prepare_park() override {
    ++parks;
    return !has_news;
  }

  bool has_news = false;
  int spins = 0;
  int parks = 0;
};

constexpr TimePoint start(1s);

TEST(HotSources, PollsEachSourceOnce) {
  HotSources sources;
  FakeSource first;
  FakeSource second;
  EXPECT_TRUE(sources.mark(first));
  EXPECT_TRUE(sources.mark(second));
  EXPECT_TRUE(sources.mark(second));
  sources.begin(start);

  EXPECT_FALSE(sources.poll(start, 50us));
  second.has_news = true;
  EXPECT_TRUE(sources.poll(start, 50us));

  EXPECT_EQ(first.spins, 2);
  EXPECT_EQ(second.spins, 2);
}

TEST(HotSources, SourceWithoutProgressForAWholeBudgetIsParked) {
  HotSources sources;
  FakeSource busy;
  FakeSource quiet;
  busy.has_news = true;
  EXPECT_TRUE(sources.mark(busy));
  EXPECT_TRUE(sources.mark(quiet));
  sources.begin(start);

  sources.poll(start + 50us, 50us);
  EXPECT_TRUE(quiet.is_hot());
  sources.poll(start + 51us, 50us);

  EXPECT_TRUE(busy.is_hot());
  EXPECT_FALSE(quiet.is_hot());
  EXPECT_EQ(quiet.parks, 1);
}

TEST(HotSources, TimeBetweenStretchesCountsAgainstNobody) {
  HotSources sources;
  FakeSource source;
  EXPECT_TRUE(sources.mark(source));
  sources.begin(start);
  sources.poll(start + 30us, 50us);

  sources.begin(start + 1s);
  sources.poll(start + 1s + 20us, 50us);

  EXPECT_TRUE(source.is_hot());
}

TEST(HotSources, ParkingReadsASourceThatHasNewsAndKeepsItHot) {
  HotSources sources;
  FakeSource quiet;
  FakeSource eager;
  eager.has_news = true;
  EXPECT_TRUE(sources.mark(quiet));
  EXPECT_TRUE(sources.mark(eager));

  EXPECT_FALSE(sources.park());

  EXPECT_FALSE(quiet.is_hot());
  EXPECT_TRUE(eager.is_hot());
  EXPECT_EQ(eager.spins, 1);
  eager.has_news = false;
  EXPECT_TRUE(sources.park());
  EXPECT_TRUE(sources.empty());
}

TEST(HotSources, NewcomerTakesThePlaceOfTheColdest) {
  HotSources sources;
  std::deque<FakeSource> all(HotSources::capacity);
  for (FakeSource& source : all)
    EXPECT_TRUE(sources.mark(source));
  sources.begin(start);
  sources.poll(start + 10us, 50us);
  for (FakeSource& source : all) {
    if (&source == &all[5]) continue;
    EXPECT_TRUE(sources.mark(source));
  }

  FakeSource newcomer;
  EXPECT_TRUE(sources.mark(newcomer));

  EXPECT_TRUE(newcomer.is_hot());
  EXPECT_FALSE(all[5].is_hot());
  EXPECT_EQ(all[5].parks, 1);
}

TEST(HotSources, NewcomerIsRefusedWhenEvenTheColdestHasNews) {
  HotSources sources;
  std::deque<FakeSource> all(HotSources::capacity);
  for (FakeSource& source : all) {
    source.has_news = true;
    EXPECT_TRUE(sources.mark(source));
  }

  FakeSource newcomer;

  EXPECT_FALSE(sources.mark(newcomer));
  EXPECT_FALSE(newcomer.is_hot());
}

TEST(HotSources, DestroyedSourceIsForgotten) {
  HotSources sources;
  FakeSource stays;
  auto goes = std::make_unique<FakeSource>();
  EXPECT_TRUE(sources.mark(*goes));
  EXPECT_TRUE(sources.mark(stays));

  goes.reset();
  sources.begin(start);
  sources.poll(start, 50us);

  EXPECT_EQ(stays.spins, 1);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
