// SPDX-License-Identifier: Apache-2.0
// Poller: wake-ups, the timer, and watchers. (Removal within a batch: loop_core_test.cpp.)
#include "async/poller.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

class CountingWatcher final : public FdWatcher {
 public:
  void on_fd_events(std::uint32_t epoll_events) override {
    ++calls;
    last_events = epoll_events;
  }
  int calls = 0;
  std::uint32_t last_events = 0;
};

class PollerTest : public testing::Test {
 protected:
  bool is_readable(int timeout_ms = 0) {
    pollfd look{poller_.fd(), POLLIN, 0};
    return ::poll(&look, 1, timeout_ms) == 1;
  }
  bool turn() {
    poller_.wait(/*may_block=*/false);
    return poller_.dispatch();
  }

  Poller poller_;
  CountingWatcher watcher_;
  UniqueFd ready_{::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)};
};

TEST_F(PollerTest, OpensWithTheFirstDescriptor) {
  EXPECT_FALSE(poller_.is_open());

  EXPECT_FALSE(poller_.add(ready_.get(), EPOLLIN, watcher_));

  EXPECT_TRUE(poller_.is_open());
  poller_.remove(ready_.get(), watcher_);
}

TEST_F(PollerTest, EachSignalMakesItReadableOnce) {
  ASSERT_FALSE(poller_.open());
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(is_readable());
    poller_.signal();
    EXPECT_TRUE(is_readable());
    EXPECT_FALSE(turn());  // no watcher is called for it
  }
}

TEST_F(PollerTest, TimerMakesItReadableEachTime) {
  ASSERT_FALSE(poller_.open());
  for (int round = 0; round < 3; ++round) {
    const TimePoint now = SteadyClock::now();
    poller_.arm(now + 1ms, now);
    EXPECT_TRUE(is_readable(10'000));
    EXPECT_GE(SteadyClock::now(), now + 1ms);
    turn();
    EXPECT_FALSE(is_readable());
  }
}

TEST_F(PollerTest, TimerMovesToAnEarlierDeadlineAndComesTooEarlyForALaterOne) {
  ASSERT_FALSE(poller_.open());
  const TimePoint now = SteadyClock::now();
  poller_.arm(now + 1h, now);
  poller_.arm(now + 1ms, now);
  poller_.arm(now + 1h, now);

  EXPECT_TRUE(is_readable(10'000));
}

TEST_F(PollerTest, DeadlineInThePastIsDueAtOnce) {
  ASSERT_FALSE(poller_.open());

  poller_.arm(TimePoint(), SteadyClock::now());

  EXPECT_TRUE(is_readable(10'000));
}

TEST_F(PollerTest, NoDeadlineNeverArms) {
  ASSERT_FALSE(poller_.open());

  poller_.arm(no_deadline, SteadyClock::now());

  EXPECT_FALSE(is_readable());
}

TEST_F(PollerTest, WatcherIsToldWhatHappenedUntilItIsRemoved) {
  ASSERT_FALSE(poller_.add(ready_.get(), EPOLLIN | EPOLLOUT, watcher_));

  EXPECT_TRUE(turn());
  EXPECT_EQ(watcher_.last_events, static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT));
  poller_.remove(ready_.get(), watcher_);
  EXPECT_FALSE(turn());
  EXPECT_EQ(watcher_.calls, 1);
}

TEST_F(PollerTest, SameDescriptorTwiceIsAnError) {
  ASSERT_FALSE(poller_.add(ready_.get(), EPOLLIN, watcher_));

  EXPECT_EQ(poller_.add(ready_.get(), EPOLLIN, watcher_), std::errc::file_exists);
  poller_.remove(ready_.get(), watcher_);
}

TEST_F(PollerTest, AForkedChildThatRemovesAWatcherLeavesItToItsParent) {
  ASSERT_FALSE(poller_.add(ready_.get(), EPOLLIN, watcher_));

  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    poller_.remove(ready_.get(), watcher_);
    ::_exit(0);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);

  EXPECT_TRUE(turn());
  EXPECT_EQ(watcher_.calls, 1);
  poller_.remove(ready_.get(), watcher_);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
