// SPDX-License-Identifier: Apache-2.0
// ConnectionQuota: one below each limit, at it, and one above; and who gives way.
#include "server/connection_quota.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Place = ConnectionQuota::Place;

constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;
constexpr uid_t carol = 1002;
constexpr auto unknown_uid = static_cast<uid_t>(-1);

constexpr ConnectionQuota::Limits limits(std::size_t most, std::size_t most_per_uid) {
  return {most, most_per_uid, /*input=*/1000, /*output=*/1000};
}

TEST(ConnectionQuota, GivesPlacesUpToTheLimitAndNotOneMore) {
  ConnectionQuota quota(limits(3, 3));

  const std::optional<Place> first = quota.take(alice);
  const std::optional<Place> below = quota.take(alice);
  const std::optional<Place> at = quota.take(alice);
  const std::optional<Place> above = quota.take(alice);

  EXPECT_TRUE(first && below && at);
  EXPECT_FALSE(above);
}

TEST(ConnectionQuota, OneUserCannotTakeThePlacesOfOthers) {
  ConnectionQuota quota(limits(4, 2));

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
  ConnectionQuota quota(limits(10, 1));

  const auto first = quota.take(unknown_uid);

  EXPECT_TRUE(first);
  EXPECT_FALSE(quota.take(unknown_uid));
}

TEST(ConnectionQuota, APlaceThatGoesCanBeTakenAgain) {
  ConnectionQuota quota(limits(1, 1));
  std::optional<Place> place = quota.take(alice);
  ASSERT_TRUE(place);
  ASSERT_FALSE(quota.take(bob));

  place.reset();

  EXPECT_TRUE(quota.take(bob));
}

TEST(ConnectionQuota, AMovedPlaceIsGivenBackOnce) {
  ConnectionQuota quota(limits(2, 2));
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
  ConnectionQuota none_at_all(limits(0, 5));
  ConnectionQuota none_each(limits(5, 0));

  EXPECT_FALSE(none_at_all.take(alice));
  EXPECT_FALSE(none_each.take(alice));
}

TEST(ConnectionQuota, HoldsWhenThreadsTakeAndGiveBackAtOnce) {
  constexpr std::size_t limit = 4;
  ConnectionQuota quota(limits(limit, limit));
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

// ---- who gives way ------------------------------------------------------------------------------

using Ask = ConnectionQuota::Ask;

/// A connection that goes when it is asked to, unless it has a call.
class Guest final : private Runnable {
 public:
  Guest(EventLoop& loop, std::optional<Place> place) : core_(&Access::core(loop)) {
    has_come_ = place.has_value();
    if (!place) return;
    place_ = *std::move(place);
    place_.settle(*core_, *this);
  }
  ~Guest() { place_.leave(); }

  bool has_come() const { return has_come_; }
  bool has_gone() const { return has_gone_; }
  Ask asked() const { return asked_; }
  Place& place() { return place_; }
  void be_idle_since(int second) { place_.set_idle(TimePoint(std::chrono::seconds(second))); }
  void begin_call() {
    place_.set_busy();
    has_call_ = true;
  }

 private:
  void run() noexcept override {
    asked_ = place_.asked();
    const bool may_stay = asked_ == Ask::place ? has_call_ : !place_.is_still_needed();
    if (may_stay) return place_.decline(TimePoint(std::chrono::hours(1)));
    has_gone_ = true;
    place_.leave();
  }

  LoopCore* core_;
  Place place_;
  Ask asked_ = Ask::nothing;
  bool has_come_ = false;
  bool has_call_ = false;
  bool has_gone_ = false;
};

class GivingWayTest : public testing::Test {
 protected:
  explicit GivingWayTest(ConnectionQuota::Limits most = limits(4, 3)) : quota_(most) {}

  /// One that has been idle since that second.
  Guest& comes(uid_t uid, int second = 0) {
    Guest& guest = guests_.emplace_back(loop_, quota_.take(uid));
    if (guest.has_come()) guest.be_idle_since(second);
    return guest;
  }

  EventLoop loop_;
  ConnectionQuota quota_;
  std::list<Guest> guests_;
};

TEST_F(GivingWayTest, OfAUserAtTheLimitTheOneThatWasIdleForLongestGivesWay) {
  Guest& late = comes(alice, 3);
  Guest& early = comes(alice, 1);
  Guest& middle = comes(alice, 2);
  Guest& other = comes(bob, 0);

  EXPECT_TRUE(comes(alice).has_come());
  loop_.poll();

  EXPECT_TRUE(early.has_gone());
  EXPECT_FALSE(late.has_gone() || middle.has_gone() || other.has_gone());
}

TEST_F(GivingWayTest, WhoHasACallIsNotAsked) {
  Guest& busy = comes(alice);
  comes(alice).begin_call();
  comes(alice).begin_call();
  busy.begin_call();

  EXPECT_FALSE(comes(alice).has_come());
  loop_.poll();
  EXPECT_EQ(busy.asked(), Ask::nothing);

  busy.be_idle_since(9);
  EXPECT_TRUE(comes(alice).has_come()) << "the call is over";
}

TEST_F(GivingWayTest, WhereAllPlacesAreTakenTheUserWithMostGivesOne) {
  Guest& one = comes(bob, 0);
  Guest& old = comes(alice, 1);
  comes(alice, 2);
  comes(alice, 3);

  EXPECT_TRUE(comes(carol).has_come());
  loop_.poll();

  EXPECT_TRUE(old.has_gone());
  EXPECT_FALSE(one.has_gone()) << "though it was idle for longer";
}

TEST_F(GivingWayTest, AUserTakesNoPlaceOfThoseWhoHaveNoMore) {
  Guest& a = comes(alice);
  Guest& b = comes(alice);
  for (Guest* const guest : {&a, &b})
    guest->begin_call();
  comes(bob);
  comes(bob);

  EXPECT_FALSE(comes(alice).has_come()) << "bob has as many";
  EXPECT_TRUE(comes(bob).has_come()) << "his own gives way";
}

TEST_F(GivingWayTest, WhoBeginsACallMeanwhileStaysAndCounts) {
  Guest& asked = comes(alice, 1);
  comes(alice, 2);
  comes(alice, 3);
  EXPECT_TRUE(comes(alice, 4).has_come());
  asked.begin_call();
  loop_.poll();
  ASSERT_FALSE(asked.has_gone());

  Guest& next = comes(alice, 5);
  loop_.poll();

  EXPECT_TRUE(next.has_come());
  EXPECT_EQ(std::ranges::count_if(guests_, &Guest::has_gone), 2) << "one for each beyond three";
}

TEST_F(GivingWayTest, WhoStaysIsNotAskedAgainBeforeOthers) {
  Guest& stays = comes(alice, 1);
  Guest& second = comes(alice, 2);
  Guest& third = comes(alice, 3);
  stays.begin_call();
  stays.be_idle_since(1);  // as far as is known
  EXPECT_TRUE(comes(alice, 4).has_come());
  loop_.poll();
  ASSERT_FALSE(stays.has_gone());

  EXPECT_TRUE(comes(alice, 5).has_come()) << "two have to go for it";
  loop_.poll();

  EXPECT_TRUE(second.has_gone() && third.has_gone());
}

TEST(ConnectionQuota, NotMoreAreAskedAtATimeThanItSays) {
  constexpr std::size_t most = 2 * ConnectionQuota::most_asked;
  EventLoop loop;
  ConnectionQuota quota(limits(most, most));
  std::list<Guest> guests;
  for (std::size_t i = 0; i < most; ++i)
    guests.emplace_back(loop, quota.take(alice)).be_idle_since(0);

  std::size_t came = 0;
  while (came < most && guests.emplace_back(loop, quota.take(alice)).has_come())
    ++came;

  EXPECT_EQ(came, ConnectionQuota::most_asked);
  loop.poll();
  EXPECT_TRUE(guests.emplace_back(loop, quota.take(alice)).has_come()) << "they have gone";
}

// ---- bytes --------------------------------------------------------------------------------------

TEST_F(GivingWayTest, UpToTheLimitOfBytesNobodyIsAsked) {
  Guest& a = comes(alice);
  Guest& b = comes(bob);
  a.place().report(600, 0);
  b.place().report(400, 1000);
  loop_.poll();

  EXPECT_EQ(a.asked(), Ask::nothing);
  EXPECT_EQ(b.asked(), Ask::nothing);
}

TEST_F(GivingWayTest, BeyondItTheOneThatHoldsMostOfTheUserWhoHoldsMostGoes) {
  Guest& a = comes(alice);
  Guest& b = comes(alice);
  Guest& c = comes(bob);
  for (Guest* const guest : {&a, &b, &c})
    guest->begin_call();
  a.place().report(0, 300);
  b.place().report(0, 200);
  c.place().report(0, 400);
  EXPECT_EQ(a.asked(), Ask::nothing);

  b.place().report(0, 301);
  loop_.poll();

  EXPECT_EQ(b.asked(), Ask::output);
  EXPECT_TRUE(b.has_gone());
  EXPECT_FALSE(a.has_gone() || c.has_gone());
}

TEST_F(GivingWayTest, WhereOneThatWentDidNotHoldEnoughTheNextOneGoes) {
  for (const uid_t user : {alice, alice, bob, bob}) {
    Guest& guest = comes(user);
    guest.begin_call();
    guest.place().report(400, 400);
  }

  for (int turn = 0; turn < 4; ++turn)
    loop_.poll();

  EXPECT_EQ(std::ranges::count_if(guests_, &Guest::has_gone), 2) << "800 of 1,000 bytes are left";
}

TEST_F(GivingWayTest, WhatWasGivenBackMeanwhileNeedsNobodyToGo) {
  Guest& a = comes(alice);
  a.place().report(1001, 0);
  a.place().report(0, 0);
  loop_.poll();

  EXPECT_EQ(a.asked(), Ask::input);
  EXPECT_FALSE(a.has_gone());

  a.place().report(1001, 0);
  loop_.poll();
  EXPECT_TRUE(a.has_gone()) << "it may be asked again";
}

TEST_F(GivingWayTest, WhatOneThatWentHeldCountsNoMore) {
  {
    Guest gone(loop_, quota_.take(alice));
    gone.place().report(1000, 1000);
  }
  Guest& a = comes(bob);
  a.place().report(1000, 1000);
  loop_.poll();

  EXPECT_EQ(a.asked(), Ask::nothing);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
