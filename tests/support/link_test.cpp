// SPDX-License-Identifier: Apache-2.0
// Link: how it wakes those who wait, and what arrives by hand.
#include "support/link.hpp"

#include "support/io.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

class AnnouncedLinkTest : public testing::Test {
 protected:
  std::shared_ptr<Link> link_ = std::make_shared<Link>(Link::Manner::announced, 4);
  TransportPair ends_ = Link::ends(link_);
  Transport& here_ = *ends_.first;
  Transport& peer_ = *ends_.second;
};

TEST_F(AnnouncedLinkTest, CarriesAPrefixAndThenBlocks) {
  EXPECT_EQ(write_once(here_, "abcdef").count(), 4U);
  EXPECT_EQ(write_once(here_, "ef").kind(), IoResult::Kind::would_block);
  EXPECT_EQ(read_once(peer_), "abcd");
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::would_block);
}

TEST_F(AnnouncedLinkTest, WakesAReaderOnceForEachAnnouncement) {
  const int fd = peer_.prepare_wait(Interest::read).fd();
  pollfd watched{fd, POLLIN, 0};
  write_once(here_, "a");
  EXPECT_EQ(::poll(&watched, 1, 0), 1);
  read_once(peer_);
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::would_block);

  write_once(here_, "b");

  EXPECT_EQ(::poll(&watched, 1, 0), 0) << "nobody announced a second sleep";
  EXPECT_TRUE(peer_.prepare_wait(Interest::read).is_ready());
  EXPECT_EQ(link_->sleeps(1, Interest::read), 1U);
  EXPECT_EQ(link_->wakes(1, Interest::read), 1U);
}

TEST_F(AnnouncedLinkTest, WakesAWriterThatAnnounced) {
  write_once(here_, "abcd");
  pollfd watched{here_.prepare_wait(Interest::write).fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 0), 0);

  read_once(peer_);

  EXPECT_EQ(::poll(&watched, 1, 0), 1);
}

TEST_F(AnnouncedLinkTest, AbortWakesTheOtherSideWhichReadsTheRest) {
  write_once(here_, "ab");
  read_once(peer_);
  pollfd watched{peer_.prepare_wait(Interest::read).fd(), POLLIN, 0};

  here_.abort({});

  EXPECT_EQ(::poll(&watched, 1, 0), 1);
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::end_of_stream);
  EXPECT_EQ(write_once(peer_, "x").kind(), IoResult::Kind::failed);
}

// ---- by hand ------------------------------------------------------------------------------------

class LinkByHandTest : public testing::Test {
 protected:
  std::shared_ptr<Link> link_ = std::make_shared<Link>(Link::Manner::by_hand, 4);
  TransportPair ends_ = Link::ends(link_);
  Transport& here_ = *ends_.first;
  Transport& peer_ = *ends_.second;
};

TEST_F(LinkByHandTest, BytesArriveWhenTheyAreDelivered) {
  EXPECT_EQ(write_once(here_, "abcdef").count(), 4U);
  EXPECT_FALSE(is_ready(peer_, Interest::read));

  link_->deliver(0, 3);

  EXPECT_TRUE(is_ready(peer_, Interest::read));
  EXPECT_EQ(read_once(peer_), "abc");
  EXPECT_EQ(link_->on_its_way(0), 1U);
}

TEST_F(LinkByHandTest, TheEndArrivesBehindTheLastByte) {
  write_once(here_, "ab");
  here_.shutdown_write();

  link_->deliver(0, 1);
  EXPECT_EQ(read_once(peer_), "a");
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::would_block);
  link_->deliver_all();

  EXPECT_EQ(read_once(peer_), "b");
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::end_of_stream);
}

TEST_F(LinkByHandTest, WritesFailOnceTheEndOfTheOtherSideHasArrived) {
  ends_.second.reset();

  EXPECT_EQ(write_once(here_, "lost").count(), 4U);
  EXPECT_EQ(write_once(here_, "lost").count(), 4U);
  link_->deliver_all();

  EXPECT_EQ(write_once(here_, "x").error(), std::errc::broken_pipe);
  EXPECT_EQ(read_kind(here_), IoResult::Kind::end_of_stream);
}

TEST_F(LinkByHandTest, AResetLosesWhatWasOnItsWay) {
  write_once(here_, "ab");
  link_->deliver(0, 1);

  link_->cut(Link::Cut::reset);

  EXPECT_TRUE(is_ready(peer_, Interest::read));
  EXPECT_EQ(read_kind(peer_), IoResult::Kind::failed);
  EXPECT_EQ(write_once(here_, "x").kind(), IoResult::Kind::failed);
  EXPECT_TRUE(link_->is_over());
}

}  // namespace
}  // namespace nearcall::test
