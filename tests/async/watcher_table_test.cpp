// SPDX-License-Identifier: Apache-2.0
// WatcherTable: who is called for news that the kernel has no part in, and who no longer.
#include "async/watcher_table.hpp"

#include <gtest/gtest.h>
#include <sys/epoll.h>

#include <functional>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

class ToldWatcher final : public FdWatcher {
 public:
  void on_fd_events(std::uint32_t epoll_events) override {
    ++calls;
    last_events = epoll_events;
    if (on_call) std::exchange(on_call, nullptr)();
  }
  int calls = 0;
  std::uint32_t last_events = 0;
  std::function<void()> on_call;
};

class WatcherTableTest : public testing::Test {
 protected:
  WatcherTable table_;
  ToldWatcher one_;
  ToldWatcher other_;
};

TEST_F(WatcherTableTest, TellsAWatcherOnceHoweverOftenItWasTold) {
  table_.add(700, one_);  // not on the first page

  EXPECT_TRUE(table_.tell(700));
  EXPECT_TRUE(table_.tell(700));
  EXPECT_TRUE(table_.has_told());
  EXPECT_TRUE(table_.call_told());

  EXPECT_EQ(one_.calls, 1);
  EXPECT_EQ(one_.last_events, static_cast<std::uint32_t>(EPOLLIN));
  EXPECT_FALSE(table_.has_told());
  EXPECT_FALSE(table_.call_told());
}

TEST_F(WatcherTableTest, HasNobodyToTellWhereNoWatcherIs) {
  table_.add(5, one_);

  EXPECT_FALSE(table_.tell(4));
  EXPECT_FALSE(table_.tell(70));
  EXPECT_FALSE(table_.has_told());
  table_.remove(5);
  EXPECT_FALSE(table_.tell(5));
  EXPECT_TRUE(table_.empty());
}

TEST_F(WatcherTableTest, RemovedWatcherIsNotCalledEvenByOneThatIsCalledBefore) {
  table_.add(5, one_);
  table_.add(6, other_);
  one_.on_call = [this] { table_.remove(6); };
  table_.tell(5);
  table_.tell(6);

  EXPECT_TRUE(table_.call_told());

  EXPECT_EQ(other_.calls, 0);
  EXPECT_FALSE(table_.has_told());
}

TEST_F(WatcherTableTest, NextWatcherOfADescriptorGetsNoNewsOfTheOneBefore) {
  table_.add(5, one_);
  table_.tell(5);
  table_.remove(5);
  table_.add(5, other_);

  EXPECT_FALSE(table_.call_told());

  EXPECT_EQ(one_.calls + other_.calls, 0);
}

TEST_F(WatcherTableTest, WhatIsToldMeanwhileIsForTheNextTime) {
  table_.add(5, one_);
  one_.on_call = [this] {
    table_.tell(5);
    for (int fd = 100; fd < 200; ++fd)
      table_.add(fd, other_);
  };
  table_.tell(5);

  EXPECT_TRUE(table_.call_told());
  EXPECT_EQ(one_.calls, 1);
  EXPECT_TRUE(table_.call_told());
  EXPECT_EQ(one_.calls, 2);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
