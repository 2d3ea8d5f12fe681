// SPDX-License-Identifier: Apache-2.0
// The pipe in memory: what it does beyond the contract of all connections.
#include "transport/inproc_pipe.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

using Kind = IoResult::Kind;

class InprocPipeTest : public testing::Test {
 protected:
  void make(std::size_t capacity) {
    auto pipe = make_inproc_pipe(capacity);
    ASSERT_TRUE(pipe);
    here_ = std::move(pipe->first);
    there_ = std::move(pipe->second);
  }
  static bool is_readable(int fd) {
    pollfd watched{fd, POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1;
  }

  std::unique_ptr<Transport> here_;
  std::unique_ptr<Transport> there_;
};

TEST_F(InprocPipeTest, HoldsItsCapacityRoundedUpToAPowerOfTwo) {
  make(100);

  EXPECT_EQ(test::write_once(*here_, std::string(1000, 'x')).count(), 128U);
  EXPECT_EQ(test::write_once(*here_, "x").kind(), Kind::would_block);
}

TEST_F(InprocPipeTest, BytesSurviveEveryPositionOfTheWrap) {
  make(16);
  ASSERT_EQ(test::write_once(*here_, "!").count(), 1U);  // one byte stays: it never begins again
  std::string sent = "!";
  std::string received;
  for (int i = 0; i < 100; ++i) {
    const std::string text = std::to_string(i) + ":abcdefghij";
    const std::size_t half = text.size() / 2;
    const std::array<iovec, 2> pieces{test::piece(std::string_view(text).substr(0, half)),
                                      test::piece(std::string_view(text).substr(half))};
    ASSERT_EQ(here_->try_write(pieces).count(), text.size());
    sent += text;

    std::string read(text.size(), '?');
    ASSERT_EQ(there_->try_read(std::as_writable_bytes(std::span(read))).count(), text.size());
    received += read;
  }
  EXPECT_EQ(received + test::read_once(*there_), sent);
}

TEST_F(InprocPipeTest, ThatWasReadEmptyBeginsAgainWhereItHasAllItsRoom) {
  make(16);
  for (int i = 0; i < 40; ++i) {
    const std::string first(static_cast<std::size_t>(i % 15) + 1, 'a');
    ASSERT_EQ(test::write_once(*here_, first).count(), first.size());
    ASSERT_EQ(test::read_once(*there_), first);

    ASSERT_EQ(test::write_once(*here_, "0123456789").count(), 10U);
    std::string front(4, '?');
    ASSERT_EQ(there_->try_read(std::as_writable_bytes(std::span(front))).count(), 4U);
    ASSERT_EQ(test::write_once(*here_, "abcdefghijkl").count(), 10U) << "not over what is unread";

    ASSERT_EQ(front + test::read_once(*there_), "0123456789abcdefghij");
  }
}

TEST_F(InprocPipeTest, WriterSignalsOnlyAReaderThatAnnouncedItsSleep) {
  make(64);
  const int fd = here_->prepare_wait(Interest::read).fd();
  EXPECT_EQ(test::read_kind(*here_), Kind::would_block);  // awake again
  ASSERT_EQ(test::write_once(*there_, "a").kind(), Kind::bytes);
  EXPECT_FALSE(is_readable(fd));
  EXPECT_TRUE(here_->prepare_wait(Interest::read).is_ready());
  EXPECT_EQ(test::read_once(*here_), "a");

  ASSERT_FALSE(here_->prepare_wait(Interest::read).is_ready());
  ASSERT_EQ(test::write_once(*there_, "b").kind(), Kind::bytes);

  EXPECT_TRUE(is_readable(fd));
}

TEST_F(InprocPipeTest, ReaderSignalsOnlyAWriterThatAnnouncedItsSleep) {
  make(4);
  ASSERT_EQ(test::write_once(*here_, "abcd").count(), 4U);
  ASSERT_EQ(test::write_once(*here_, "e").kind(), Kind::would_block);
  const WaitAdvice advice = here_->prepare_wait(Interest::write);
  ASSERT_FALSE(advice.is_ready());
  EXPECT_FALSE(is_readable(advice.fd()));

  EXPECT_EQ(test::read_once(*there_), "abcd");

  EXPECT_TRUE(is_readable(advice.fd()));
  EXPECT_EQ(test::write_once(*here_, "e").count(), 1U);
}

TEST_F(InprocPipeTest, ReadinessIsTakenAwayBeforeWouldBlock) {
  make(64);
  const WaitAdvice advice = here_->prepare_wait(Interest::read);
  ASSERT_FALSE(advice.is_ready());
  ASSERT_EQ(test::write_once(*there_, "a").kind(), Kind::bytes);
  ASSERT_TRUE(is_readable(advice.fd()));

  EXPECT_EQ(test::read_once(*here_), "a");
  EXPECT_EQ(test::read_kind(*here_), Kind::would_block);

  EXPECT_FALSE(is_readable(advice.fd()));
}

TEST_F(InprocPipeTest, PeerIsThisProcess) {
  make(64);

  EXPECT_TRUE(here_->peer().is_own());
  EXPECT_EQ(here_->peer().pid(), ::getpid());
  EXPECT_EQ(here_->peer().address(), "inproc:");
}

TEST_F(InprocPipeTest, DestructorInAForkedChildWakesNobodyInTheParent) {
  make(64);
  ASSERT_FALSE(there_->prepare_wait(Interest::read).is_ready());
  test::ChildProcess child([this] {
    here_.reset();
    there_.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_FALSE(test::is_ready(*there_, Interest::read));
  ASSERT_EQ(test::write_once(*here_, "x").kind(), Kind::bytes);
  EXPECT_EQ(test::read_once(*there_), "x");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
