// SPDX-License-Identifier: Apache-2.0
// Inbox: order, cancelling, and when a post signals the poller.
#include "async/inbox.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

class Work final : public Runnable {
 public:
  void run() noexcept override {}
};

class InboxTest : public testing::Test {
 protected:
  InboxTest() { EXPECT_FALSE(poller_.open()); }
  bool is_signalled() {
    pollfd look{poller_.fd(), POLLIN, 0};
    const bool is_readable = ::poll(&look, 1, 0) == 1;
    poller_.wait(/*may_block=*/false);
    return is_readable;
  }

  Poller poller_;
  Inbox inbox_{poller_};
  Work first_;
  Work second_;
};

TEST_F(InboxTest, GivesWorkInTheOrderInWhichItCame) {
  inbox_.post(first_);
  inbox_.post(second_);

  EXPECT_TRUE(inbox_.has_news());
  EXPECT_EQ(inbox_.take(), &first_);
  EXPECT_EQ(inbox_.take(), &second_);
  EXPECT_EQ(inbox_.take(), nullptr);
  EXPECT_FALSE(inbox_.has_news());
}

TEST_F(InboxTest, CancelledWorkIsNotGiven) {
  inbox_.post(first_);
  inbox_.post(second_);

  inbox_.cancel(first_);
  inbox_.cancel(first_);

  EXPECT_EQ(inbox_.take(), &second_);
  EXPECT_EQ(inbox_.take(), nullptr);
}

TEST_F(InboxTest, SignalsOnceAndOnlyWhoSleeps) {
  inbox_.post(first_);
  EXPECT_FALSE(is_signalled());
  EXPECT_EQ(inbox_.take(), &first_);

  EXPECT_TRUE(inbox_.prepare_sleep());
  inbox_.post(first_);
  EXPECT_TRUE(is_signalled());
  inbox_.post(second_);
  EXPECT_FALSE(is_signalled());
}

TEST_F(InboxTest, DoesNotSignalWhoHasWokenUp) {
  EXPECT_TRUE(inbox_.prepare_sleep());
  inbox_.wake_up();

  inbox_.post(first_);

  EXPECT_FALSE(is_signalled());
}

TEST_F(InboxTest, NobodySleepsOverWorkOrAStop) {
  inbox_.post(first_);
  EXPECT_FALSE(inbox_.prepare_sleep());
  EXPECT_FALSE(inbox_.prepare_absence());
  inbox_.take();

  inbox_.request_stop();
  EXPECT_TRUE(inbox_.has_news());
  EXPECT_FALSE(inbox_.prepare_sleep());
  EXPECT_TRUE(inbox_.prepare_absence());

  inbox_.clear_stop();
  EXPECT_TRUE(inbox_.prepare_sleep());
}

TEST_F(InboxTest, StopWakesASleeper) {
  EXPECT_TRUE(inbox_.prepare_sleep());

  inbox_.request_stop();

  EXPECT_TRUE(is_signalled());
  EXPECT_TRUE(inbox_.is_stop_requested());
}

TEST_F(InboxTest, SleeperMissesNothingFromAnotherThread) {
  constexpr int count = 5000;
  std::vector<Work> work(count);
  std::jthread poster([&] {
    for (Work& each : work)
      inbox_.post(each);
  });

  int taken = 0;
  while (taken < count) {
    while (inbox_.take() != nullptr)
      ++taken;
    if (taken < count && inbox_.prepare_sleep()) poller_.wait(/*may_block=*/true);
  }

  EXPECT_EQ(inbox_.take(), nullptr);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
