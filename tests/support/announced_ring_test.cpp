// SPDX-License-Identifier: Apache-2.0
// Tests of the transport that wakes only those who announced their sleep.
#include "support/announced_ring.hpp"

#include "support/io.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

class AnnouncedRingTest : public testing::Test {
 protected:
  std::shared_ptr<AnnouncedRing> there_ = std::make_shared<AnnouncedRing>(4);
  std::shared_ptr<AnnouncedRing> back_ = std::make_shared<AnnouncedRing>(4);
  std::unique_ptr<Transport> here_ = std::make_unique<AnnouncedTransport>(back_, there_);
  std::unique_ptr<Transport> peer_ = std::make_unique<AnnouncedTransport>(there_, back_);
};

TEST_F(AnnouncedRingTest, CarriesAPrefixAndThenBlocks) {
  EXPECT_EQ(write_once(*here_, "abcdef").count(), 4U);
  EXPECT_EQ(write_once(*here_, "ef").kind(), IoResult::Kind::would_block);
  EXPECT_EQ(read_once(*peer_), "abcd");
  EXPECT_EQ(read_kind(*peer_), IoResult::Kind::would_block);
}

TEST_F(AnnouncedRingTest, WakesAReaderOnceForEachAnnouncement) {
  const int fd = peer_->prepare_wait(Interest::read).fd();
  pollfd watched{fd, POLLIN, 0};
  write_once(*here_, "a");
  EXPECT_EQ(::poll(&watched, 1, 0), 1);
  read_once(*peer_);
  EXPECT_EQ(read_kind(*peer_), IoResult::Kind::would_block);

  write_once(*here_, "b");

  EXPECT_EQ(::poll(&watched, 1, 0), 0) << "nobody announced a second sleep";
  EXPECT_TRUE(peer_->prepare_wait(Interest::read).is_ready());
  EXPECT_EQ(there_->sleeps(Interest::read), 1U);
  EXPECT_EQ(there_->wakes(Interest::read), 1U);
}

TEST_F(AnnouncedRingTest, WakesAWriterThatAnnounced) {
  write_once(*here_, "abcd");
  pollfd watched{here_->prepare_wait(Interest::write).fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 0), 0);

  read_once(*peer_);

  EXPECT_EQ(::poll(&watched, 1, 0), 1);
}

TEST_F(AnnouncedRingTest, AbortWakesTheOtherSideWhichReadsTheRest) {
  write_once(*here_, "ab");
  read_once(*peer_);
  pollfd watched{peer_->prepare_wait(Interest::read).fd(), POLLIN, 0};

  here_->abort({});

  EXPECT_EQ(::poll(&watched, 1, 0), 1);
  EXPECT_EQ(read_kind(*peer_), IoResult::Kind::end_of_stream);
  EXPECT_EQ(write_once(*peer_, "x").kind(), IoResult::Kind::failed);
}

}  // namespace
}  // namespace nearcall::test
