// SPDX-License-Identifier: Apache-2.0
// What DescriptorPassing promises, asked of a transport that does it: which descriptors arrive,
// with which bytes, and that no other stays open.
#include "base/bytes.hpp"
#include "base/unique_fd.hpp"
#include "support/io.hpp"
#include "support/open_descriptors.hpp"
#include "support/passing_transport.hpp"
#include "transport/socket_transport.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using Kind = IoResult::Kind;
using test::open_descriptors;
using test::PassingTransport;

/// A pipe whose writing end is sent away: its reading end tells whether any copy is open.
class SentPipe {
 public:
  SentPipe() {
    std::array<int, 2> ends{-1, -1};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
  }
  int fd() const noexcept { return write_.get(); }
  void close_own() noexcept { write_.reset(); }
  bool is_open_somewhere() const noexcept {
    char byte = 0;
    return ::read(read_.get(), &byte, 1) != 0;
  }
  /// What has been written into any copy.
  std::string take() const {
    std::array<char, 16> text{};
    const ssize_t count = ::read(read_.get(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  UniqueFd read_;
  UniqueFd write_;
};

class DescriptorPassingTest : public testing::Test {
 protected:
  DescriptorPassingTest() {
    auto pair = make_socketpair();
    here_ = std::make_unique<PassingTransport>(std::move(pair->first));
    there_ = std::make_unique<PassingTransport>(std::move(pair->second));
  }

  IoResult send(std::string_view text, const std::vector<int>& descriptors) {
    const iovec piece = test::piece(text);
    return here_->descriptor_passing()->try_write_with(std::span(&piece, 1), descriptors);
  }
  /// One read of so many bytes, and at most so many descriptors, which are received_ afterwards.
  std::string receive(std::size_t size, std::size_t most) {
    std::vector<std::byte> bytes(size);
    std::vector<int> descriptors;
    const IoResult result = there_->descriptor_passing()->try_read_with(bytes, descriptors, most);
    received_.clear();
    for (const int descriptor : descriptors)
      received_.emplace_back(descriptor);
    return std::string(as_text(std::span(bytes).first(result.count())));
  }

  std::unique_ptr<Transport> here_;
  std::unique_ptr<Transport> there_;
  std::vector<UniqueFd> received_;
  SentPipe pipe_;
};

TEST_F(DescriptorPassingTest, ACopyArrivesWithTheFirstByteAndTheSenderKeepsItsOwn) {
  ASSERT_EQ(send("xyz", {pipe_.fd()}).count(), 3U);

  EXPECT_EQ(receive(/*size=*/1, /*most=*/10), "x");

  ASSERT_EQ(received_.size(), 1U);
  EXPECT_EQ(::write(received_[0].get(), "there", 5), 5);
  EXPECT_EQ(::write(pipe_.fd(), "here", 4), 4);
  EXPECT_EQ(pipe_.take(), "therehere");
  EXPECT_EQ(::fcntl(received_[0].get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "yz");
  EXPECT_TRUE(received_.empty());
}

TEST_F(DescriptorPassingTest, SeveralArriveInOrderBehindThoseThatAreThere) {
  const SentPipe second;
  ASSERT_EQ(send("x", {pipe_.fd(), second.fd()}).kind(), Kind::bytes);

  std::array<std::byte, 4> bytes{};
  std::vector<int> descriptors = {-1};
  there_->descriptor_passing()->try_read_with(bytes, descriptors, 10);

  ASSERT_EQ(descriptors.size(), 3U);
  EXPECT_EQ(descriptors[0], -1);
  const UniqueFd first_copy(descriptors[1]);
  const UniqueFd second_copy(descriptors[2]);
  EXPECT_EQ(::write(first_copy.get(), "1", 1), 1);
  EXPECT_EQ(::write(second_copy.get(), "2", 1), 1);
  EXPECT_EQ(pipe_.take(), "1");
  EXPECT_EQ(second.take(), "2");
}

TEST_F(DescriptorPassingTest, AReadTakesThoseOfOneWriteAtMost) {
  ASSERT_EQ(send("a", {}).kind(), Kind::bytes);
  ASSERT_EQ(send("b", {pipe_.fd()}).kind(), Kind::bytes);
  ASSERT_EQ(send("c", {pipe_.fd(), pipe_.fd()}).kind(), Kind::bytes);
  ASSERT_EQ(send("d", {}).kind(), Kind::bytes);

  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "ab") << "bytes of writes before may come along";
  EXPECT_EQ(received_.size(), 1U);
  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "c");
  EXPECT_EQ(received_.size(), 2U);
  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "d");
  EXPECT_TRUE(received_.empty());
}

TEST_F(DescriptorPassingTest, BeyondWhatTheReaderTakesTheyAreClosed) {
  const std::vector<int> five(5, pipe_.fd());
  for (std::size_t most = 0; most <= five.size() + 1; ++most) {
    ASSERT_EQ(send("x", five).kind(), Kind::bytes);
    const std::ptrdiff_t before = open_descriptors();

    EXPECT_EQ(receive(/*size=*/10, most), "x");

    EXPECT_EQ(received_.size(), std::min(most, five.size()));
    EXPECT_EQ(open_descriptors() - before, static_cast<std::ptrdiff_t>(received_.size()));
    received_.clear();
  }
}

TEST_F(DescriptorPassingTest, APlainReadClosesThem) {
  ASSERT_EQ(send("x", {pipe_.fd()}).kind(), Kind::bytes);
  pipe_.close_own();
  ASSERT_TRUE(pipe_.is_open_somewhere()) << "on its way";
  const std::ptrdiff_t before = open_descriptors();

  EXPECT_EQ(test::read_once(*there_), "x");

  EXPECT_EQ(open_descriptors(), before);
  EXPECT_FALSE(pipe_.is_open_somewhere());
}

TEST_F(DescriptorPassingTest, ThoseThatNobodyReadAreClosedWithTheConnection) {
  ASSERT_EQ(send("x", {pipe_.fd()}).kind(), Kind::bytes);
  pipe_.close_own();
  here_.reset();
  EXPECT_TRUE(pipe_.is_open_somewhere()) << "it can still be read";

  there_.reset();

  EXPECT_FALSE(pipe_.is_open_somewhere());
}

TEST_F(DescriptorPassingTest, AWriteForWhichThereIsNoRoomSendsNone) {
  std::size_t filled = 0;
  while (const std::size_t count = test::write_once(*here_, std::string(1000, 'x')).count())
    filled += count;

  EXPECT_EQ(send("y", {pipe_.fd()}).kind(), Kind::would_block);

  pipe_.close_own();
  EXPECT_FALSE(pipe_.is_open_somewhere());
  EXPECT_EQ(test::read_exactly(*there_, filled).size(), filled);
  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "");
}

TEST_F(DescriptorPassingTest, WhatTheSystemDoesNotPassIsRefusedAndTheConnectionGoesOn) {
  EXPECT_EQ(send("x", {pipe_.fd(), -1}).error(), std::errc::bad_file_descriptor);
  EXPECT_EQ(send("x", std::vector<int>(254, pipe_.fd())).error(), std::errc::invalid_argument);

  ASSERT_EQ(send("y", std::vector<int>(253, pipe_.fd())).kind(), Kind::bytes);
  EXPECT_EQ(receive(/*size=*/10, /*most=*/1000), "y");
  EXPECT_EQ(received_.size(), 253U);
}

TEST_F(DescriptorPassingTest, ThoseForWhichTheReaderHasNoRoomAreLostAndTheBytesAreNot) {
  ASSERT_EQ(send("x", {pipe_.fd(), pipe_.fd(), pipe_.fd()}).kind(), Kind::bytes);
  pipe_.close_own();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const UniqueFd lowest(::fcntl(here_->prepare_wait(Interest::read).fd(), F_DUPFD_CLOEXEC, 0));
  rlimit full = before;
  full.rlim_cur = static_cast<rlim_t>(lowest.get()) + 2;  // one is free, if no other was before it
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &full), 0);

  EXPECT_EQ(receive(/*size=*/10, /*most=*/10), "x");

  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_LT(received_.size(), 3U);
  received_.clear();
  EXPECT_FALSE(pipe_.is_open_somewhere());
}

TEST_F(DescriptorPassingTest, ADecoratorThatDoesNotKnowOfItPassesNone) {
  ForwardingTransport decorated(std::move(here_));

  EXPECT_EQ(decorated.descriptor_passing(), nullptr);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
