// SPDX-License-Identifier: Apache-2.0
// HealthBook: what is known of services, and who hears of it.
#include "services/health_book.hpp"

#include <nearcall/sync_wait.hpp>

#include <gmock/gmock.h>

namespace nearcall::inline v0::detail {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::Pair;

Task<void> hear_once(HealthWatcher& watcher) {
  co_await watcher.wait();
  watcher.hear();
}

Task<bool> look(HealthWatcher& watcher) {
  co_return watcher.wait().await_ready();
}
bool has_news(HealthWatcher& watcher) {
  return sync_wait(look(watcher));
}

TEST(HealthBookTest, KnowsWhatWasSetUntilItIsRemoved) {
  HealthBook book;
  EXPECT_EQ(book.status("a"), std::nullopt);

  book.set("a", ServingStatus::serving);
  EXPECT_THAT(book.status("a"), Optional(ServingStatus::serving));
  book.set("a", ServingStatus::not_serving);
  EXPECT_THAT(book.status("a"), Optional(ServingStatus::not_serving));

  book.remove("a");
  EXPECT_EQ(book.status("a"), std::nullopt);
}

TEST(HealthBookTest, ListsWhatHasAStatusAndNotWhatIsOnlyWatched) {
  HealthBook book;
  book.set("b", ServingStatus::serving);
  book.set("a", ServingStatus::unknown);
  const HealthWatcher watcher(book, "watched");

  EXPECT_THAT(book.statuses(2), Optional(ElementsAre(Pair("a", ServingStatus::unknown),
                                                     Pair("b", ServingStatus::serving))));
  EXPECT_EQ(book.statuses(1), std::nullopt);
  book.remove("b");
  book.remove("b");
  EXPECT_THAT(book.statuses(1), Optional(ElementsAre(Pair("a", ServingStatus::unknown))));
}

TEST(HealthBookTest, WakesThoseWhoWatchWhatChangedAndNobodyElse) {
  HealthBook book;
  book.set("a", ServingStatus::serving);
  HealthWatcher one(book, "a");
  HealthWatcher two(book, "a");
  HealthWatcher other(book, "b");

  book.set("a", ServingStatus::not_serving);

  sync_wait(hear_once(one));
  sync_wait(hear_once(two));
  EXPECT_THAT(one.status(), Optional(ServingStatus::not_serving));
  EXPECT_FALSE(has_news(one)) << "it was heard";
  EXPECT_FALSE(has_news(other));
}

TEST(HealthBookTest, TellsNothingNewOfAStatusThatStaysAsItIs) {
  HealthBook book;
  book.set("a", ServingStatus::serving);
  HealthWatcher watcher(book, "a");

  book.set("a", ServingStatus::serving);
  book.remove("b");

  EXPECT_FALSE(has_news(watcher));
}

TEST(HealthBookTest, TellsWhoWatchesAnUnknownServiceWhenItComesAndGoes) {
  HealthBook book;
  HealthWatcher watcher(book, "late");
  EXPECT_EQ(watcher.status(), std::nullopt);

  book.set("late", ServingStatus::serving);
  sync_wait(hear_once(watcher));
  EXPECT_THAT(watcher.status(), Optional(ServingStatus::serving));

  book.remove("late");
  sync_wait(hear_once(watcher));
  EXPECT_EQ(watcher.status(), std::nullopt);
}

TEST(HealthBookTest, LetsNoMoreUnknownServicesBeWatchedThanItKeeps) {
  HealthBook book;
  book.set("known", ServingStatus::serving);
  std::vector<std::unique_ptr<HealthWatcher>> watchers;
  for (std::size_t i = 0; i < HealthBook::max_unknown; ++i)
    watchers.push_back(std::make_unique<HealthWatcher>(book, std::to_string(i)));
  EXPECT_EQ(watchers.back()->refusal(), std::nullopt);

  EXPECT_THAT(HealthWatcher(book, "more").refusal(),
              Optional(std::string("health: more than 10000 unknown services are watched")));
  EXPECT_EQ(HealthWatcher(book, "0").refusal(), std::nullopt);
  EXPECT_EQ(HealthWatcher(book, "known").refusal(), std::nullopt);
  watchers.pop_back();
  EXPECT_EQ(HealthWatcher(book, "more").refusal(), std::nullopt);
}

TEST(HealthBookTest, WatchersMayLeaveInAnyOrder) {
  HealthBook book;
  auto one = std::make_unique<HealthWatcher>(book, "a");
  auto two = std::make_unique<HealthWatcher>(book, "a");
  auto three = std::make_unique<HealthWatcher>(book, "a");
  one.reset();
  three.reset();

  book.set("a", ServingStatus::serving);

  sync_wait(hear_once(*two));
  two.reset();
  EXPECT_THAT(book.status("a"), Optional(ServingStatus::serving));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
