// SPDX-License-Identifier: Apache-2.0
// ConnectionQuota: one below each limit, at it, and one above.
#include "server/connection_quota.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Place = ConnectionQuota::Place;

constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;
constexpr auto unknown_uid = static_cast<uid_t>(-1);

TEST(ConnectionQuota, GivesPlacesUpToTheLimitAndNotOneMore) {
  ConnectionQuota quota(/*most=*/3, /*most_per_uid=*/3);

  const std::optional<Place> first = quota.take(alice);
  const std::optional<Place> below = quota.take(alice);
  const std::optional<Place> at = quota.take(alice);
  const std::optional<Place> above = quota.take(alice);

  EXPECT_TRUE(first && below && at);
  EXPECT_FALSE(above);
}

TEST(ConnectionQuota, OneUserCannotTakeThePlacesOfOthers) {
  ConnectionQuota quota(/*most=*/4, /*most_per_uid=*/2);

  const auto a1 = quota.take(alice);
  const auto a2 = quota.take(alice);
  EXPECT_TRUE(a1 && a2);
  EXPECT_FALSE(quota.take(alice)) << "beyond the user's limit";

  const auto b1 = quota.take(bob);
  const auto b2 = quota.take(bob);
  EXPECT_TRUE(b1 && b2) << "a refused attempt takes no place";
  EXPECT_FALSE(quota.take(0)) << "beyond the limit of all, root or not";
}

TEST(ConnectionQuota, PeersWithoutCredentialsShareOneLimit) {
  ConnectionQuota quota(/*most=*/10, /*most_per_uid=*/1);

  const auto first = quota.take(unknown_uid);

  EXPECT_TRUE(first);
  EXPECT_FALSE(quota.take(unknown_uid));
}

TEST(ConnectionQuota, APlaceThatGoesCanBeTakenAgain) {
  ConnectionQuota quota(/*most=*/1, /*most_per_uid=*/1);
  std::optional<Place> place = quota.take(alice);
  ASSERT_TRUE(place);
  ASSERT_FALSE(quota.take(bob));

  place.reset();

  EXPECT_TRUE(quota.take(bob));
}

TEST(ConnectionQuota, AMovedPlaceIsGivenBackOnce) {
  ConnectionQuota quota(/*most=*/2, /*most_per_uid=*/2);
  std::optional<Place> kept = quota.take(alice);
  ASSERT_TRUE(kept);
  {
    std::optional<Place> other = quota.take(alice);
    ASSERT_TRUE(other);
    Place moved(*std::move(other));
    Place assigned;
    assigned = std::move(moved);
    EXPECT_FALSE(quota.take(alice));
  }

  const auto again = quota.take(alice);
  EXPECT_TRUE(again);
  EXPECT_FALSE(quota.take(alice));
}

TEST(ConnectionQuota, LimitsOfZeroLetNobodyIn) {
  ConnectionQuota none_at_all(/*most=*/0, /*most_per_uid=*/5);
  ConnectionQuota none_each(/*most=*/5, /*most_per_uid=*/0);

  EXPECT_FALSE(none_at_all.take(alice));
  EXPECT_FALSE(none_each.take(alice));
}

TEST(ConnectionQuota, HoldsWhenThreadsTakeAndGiveBackAtOnce) {
  constexpr std::size_t limit = 4;
  ConnectionQuota quota(limit, limit);
  std::atomic<std::size_t> taken{0};
  std::atomic<std::size_t> most{0};
  const auto work = [&] {
    for (int i = 0; i < 2000; ++i) {
      std::optional<Place> first = quota.take(alice);
      std::optional<Place> second = quota.take(bob);
      const std::size_t mine = (first ? 1U : 0U) + (second ? 1U : 0U);
      const std::size_t now = taken.fetch_add(mine) + mine;
      std::size_t seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      taken.fetch_sub(mine);
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back(work);
  }

  EXPECT_LE(most.load(), limit);
  std::vector<std::optional<Place>> all;
  for (std::size_t i = 0; i < limit; ++i)
    all.push_back(quota.take(alice));
  EXPECT_TRUE(all.back()) << "every place came back";
  EXPECT_FALSE(quota.take(alice));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
