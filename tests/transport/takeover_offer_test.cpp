// SPDX-License-Identifier: Apache-2.0
// TakeoverOffer: who is answered, one at a time, and what becomes of what he was told.
#include "transport/takeover_offer.hpp"

#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

namespace nearcall::inline v0::detail {
namespace {

using News = TakeoverOffer::News;

class TakeoverOfferTest : public test::LogCheckedTest {
 protected:
  /// Waits for what look() tells of.
  bool is_ready() const {
    pollfd watched{offer_->fd(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
  }
  /// Asks, and is offered one descriptor.
  UniqueFd asker() {
    UniqueFd asker = test::connected_to(path_);
    EXPECT_TRUE(is_ready());
    EXPECT_EQ(offer_->look(), News::asked);
    const std::array<int, 1> part{STDERR_FILENO};
    offer_->offer(part);
    EXPECT_EQ(receive_takeover(asker.get()).descriptors.size(), 1U);
    return asker;
  }
  UniqueFd told_asker() {
    UniqueFd told = asker();
    EXPECT_TRUE(send_takeover(told.get(), TakeoverMessage::take));
    EXPECT_EQ(offer_->look(), News::wanted);
    EXPECT_TRUE(offer_->confirm());
    return told;
  }

  const test::TempDir directory_;
  const std::string path_ = directory_.file("s");
  const std::unique_ptr<TakeoverOffer> offer_ =
      *TakeoverOffer::make(test::listening_at(path_), "unix:x");
};

TEST_F(TakeoverOfferTest, NobodyAsks) {
  EXPECT_FALSE(is_ready());
  EXPECT_EQ(offer_->look(), News::none);
  EXPECT_FALSE(offer_->has_asker());
}

TEST_F(TakeoverOfferTest, IsTakenByWhoHasReadThatItIsHis) {
  UniqueFd asker = told_asker();
  EXPECT_EQ(offer_->look(), News::none);
  ASSERT_EQ(receive_takeover(asker.get()).message, TakeoverMessage::yours);

  asker.reset();

  EXPECT_TRUE(is_ready());
  EXPECT_EQ(offer_->look(), News::taken);
}

TEST_F(TakeoverOfferTest, IsToldOnce) {
  const UniqueFd asker = told_asker();

  EXPECT_TRUE(offer_->confirm());

  EXPECT_EQ(receive_takeover(asker.get()).message, TakeoverMessage::yours);
  EXPECT_EQ(receive_takeover(asker.get()).kind, TakeoverNews::Kind::nothing);
}

TEST_F(TakeoverOfferTest, WhatIsSaidAfterwardsIsOfNoMeaning) {
  UniqueFd asker = told_asker();
  ASSERT_TRUE(send_takeover(asker.get(), TakeoverMessage::take));
  ASSERT_EQ(::write(asker.get(), "?", 1), 1);

  EXPECT_EQ(offer_->look(), News::none);
  EXPECT_EQ(offer_->look(), News::none);

  EXPECT_TRUE(offer_->is_told());
  ASSERT_EQ(receive_takeover(asker.get()).message, TakeoverMessage::yours);
  asker.reset();
  EXPECT_EQ(offer_->look(), News::taken);
}

TEST_F(TakeoverOfferTest, ReturnsFromWhoDiesBeforeHeHasReadIt) {
  UniqueFd asker = told_asker();

  asker.reset();

  EXPECT_EQ(offer_->look(), News::returned);
  EXPECT_FALSE(offer_->is_told());
  EXPECT_TRUE(this->asker()) << "the next one may ask";
}

TEST_F(TakeoverOfferTest, OfWhoDiesBeforeHeTakesItIsForTheNext) {
  UniqueFd first = asker();
  const UniqueFd second = test::connected_to(path_);
  ASSERT_FALSE(is_ready()) << "one at a time";

  first.reset();

  EXPECT_EQ(offer_->look(), News::none);
  EXPECT_TRUE(is_ready());
  EXPECT_EQ(offer_->look(), News::asked);
}

TEST_F(TakeoverOfferTest, CannotBeConfirmedToWhoHasGone) {
  UniqueFd gone = asker();
  ASSERT_TRUE(send_takeover(gone.get(), TakeoverMessage::take));
  gone.reset();
  ASSERT_EQ(offer_->look(), News::wanted);

  EXPECT_FALSE(offer_->confirm());
  EXPECT_FALSE(offer_->has_asker());
}

TEST_F(TakeoverOfferTest, IsWithdrawnInWordsBeforeItEnds) {
  const UniqueFd asker = this->asker();

  offer_->withdraw();

  EXPECT_EQ(receive_takeover(asker.get()).message, TakeoverMessage::withdrawn);
  EXPECT_EQ(receive_takeover(asker.get()).kind, TakeoverNews::Kind::ended);
}

TEST_F(TakeoverOfferTest, OfWhoWasToldThatItIsHisIsNotWithdrawn) {
  const UniqueFd asker = told_asker();

  offer_->withdraw();

  EXPECT_EQ(receive_takeover(asker.get()).message, TakeoverMessage::yours);
  EXPECT_EQ(receive_takeover(asker.get()).kind, TakeoverNews::Kind::nothing);
}

TEST_F(TakeoverOfferTest, WordThatIsNoneEndsIt) {
  const UniqueFd asker = this->asker();
  ASSERT_EQ(::write(asker.get(), "?", 1), 1);

  EXPECT_EQ(offer_->look(), News::none);

  EXPECT_FALSE(offer_->has_asker());
}

TEST_F(TakeoverOfferTest, WithoutADescriptorForWhoAsksSaysSo) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{3, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_EQ(offer_->look(), News::none) << "nobody asks";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  const UniqueFd asking = test::connected_to(path_);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);

  EXPECT_EQ(offer_->look(), News::no_room);

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(offer_->look(), News::asked) << "later there may be room";
}

TEST_F(TakeoverOfferTest, AnotherUserGetsNothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);  // as if the file did not keep him out already
  test::ProcessSignal connected;
  test::ProcessSignal looked;
  test::ChildProcess stranger([&] {
    if (::setgid(12345) != 0 || ::setuid(12345) != 0) return 1;
    const UniqueFd socket = test::connected_to(path_);
    connected.raise();
    if (!socket || !looked.wait_for(10)) return 2;
    return receive_takeover(socket.get()).kind == TakeoverNews::Kind::ended ? 0 : 3;
  });
  ASSERT_TRUE(connected.wait_for(10));

  EXPECT_EQ(offer_->look(), News::none);

  looked.raise();
  EXPECT_EQ(stranger.wait(), 0);
  EXPECT_FALSE(offer_->has_asker());
  EXPECT_TRUE(log_capture().take("uid=12345"));
}

/// In a user namespace without a map everybody looks like this process's own user.
TEST_F(TakeoverOfferTest, WhoMayBeAnybodyGetsNothing) {
  const std::string path = directory_.file("mapless");
  test::ProcessSignal listens;
  test::ProcessSignal connected;
  test::ChildProcess server([&] {
    if (::unshare(CLONE_NEWUSER) != 0) return 77;
    const auto offer = TakeoverOffer::make(test::listening_at(path), "unix:x");
    listens.raise();
    if (!offer || !connected.wait_for(10)) return 1;
    return (*offer)->look() == News::none && !(*offer)->has_asker() ? 0 : 2;
  });
  listens.leave_raising_to_others();
  UniqueFd asker;
  if (listens.wait_for(10)) asker = test::connected_to(path);
  connected.raise();

  const int verdict = server.wait();

  if (verdict == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_TRUE(asker);
  EXPECT_EQ(verdict, 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
