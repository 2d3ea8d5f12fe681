// SPDX-License-Identifier: Apache-2.0
// One byte and its descriptors, and how the end of who sends them shows.
#include "transport/takeover_message.hpp"

#include "support/open_descriptors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using NewsKind = TakeoverNews::Kind;

class TakeoverMessageTest : public testing::Test {
 protected:
  TakeoverMessageTest() {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    here_ = UniqueFd(fds[0]);
    there_ = UniqueFd(fds[1]);
  }

  UniqueFd here_;
  UniqueFd there_;
};

TEST_F(TakeoverMessageTest, TakesItsDescriptorsAlong) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::array<int, 3> sent{null.get(), null.get(), null.get()};
  ASSERT_TRUE(send_takeover(there_.get(), TakeoverMessage::offer, sent));

  const TakeoverNews news = receive_takeover(here_.get());

  EXPECT_EQ(news.kind, NewsKind::message);
  EXPECT_EQ(news.message, TakeoverMessage::offer);
  ASSERT_EQ(news.descriptors.size(), 3U);
  for (const UniqueFd& fd : news.descriptors)
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(TakeoverMessageTest, IsReadOneByOneAndNothingIsWaitedFor) {
  send_takeover(there_.get(), TakeoverMessage::yours);
  send_takeover(there_.get(), TakeoverMessage::withdrawn);

  EXPECT_EQ(receive_takeover(here_.get()).message, TakeoverMessage::yours);
  EXPECT_EQ(receive_takeover(here_.get()).message, TakeoverMessage::withdrawn);
  EXPECT_EQ(receive_takeover(here_.get()).kind, NewsKind::nothing);
}

TEST_F(TakeoverMessageTest, OfWhoHasReadAllAndGoesTheEndIsAnEnd) {
  send_takeover(here_.get(), TakeoverMessage::yours);
  ASSERT_EQ(receive_takeover(there_.get()).kind, NewsKind::message);
  there_.reset();

  EXPECT_EQ(receive_takeover(here_.get()).kind, NewsKind::ended);
  EXPECT_FALSE(send_takeover(here_.get(), TakeoverMessage::yours));
}

TEST_F(TakeoverMessageTest, OfWhoGoesWithoutHavingReadItIsBroken) {
  send_takeover(here_.get(), TakeoverMessage::yours);
  there_.reset();

  EXPECT_EQ(receive_takeover(here_.get()).kind, NewsKind::broken);
}

TEST_F(TakeoverMessageTest, OfTooManyDescriptorsLeavesNoneOpen) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const std::vector<int> many(100, null.get());
  alignas(cmsghdr) std::array<char, CMSG_SPACE(100 * sizeof(int))> control{};
  char byte = '1';
  iovec piece{&byte, 1};
  msghdr whole{};
  whole.msg_iov = &piece;
  whole.msg_iovlen = 1;
  whole.msg_control = control.data();
  whole.msg_controllen = control.size();
  cmsghdr* const part = CMSG_FIRSTHDR(&whole);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(many.size() * sizeof(int));
  std::copy(many.begin(), many.end(), reinterpret_cast<int*>(CMSG_DATA(part)));
  ASSERT_EQ(::sendmsg(there_.get(), &whole, 0), 1);
  const std::ptrdiff_t before = test::open_descriptors();

  {
    const TakeoverNews news = receive_takeover(here_.get());
    EXPECT_LE(news.descriptors.size(), 4U);
    EXPECT_TRUE(news.is_short_of_room);
  }

  EXPECT_EQ(test::open_descriptors(), before);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
