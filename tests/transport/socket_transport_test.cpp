// SPDX-License-Identifier: Apache-2.0
// SocketTransport: what is special to sockets: descriptors, forks, resets.
#include "transport/socket_transport.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/open_descriptors.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using test::ChildProcess;
using test::open_descriptors;
using Kind = IoResult::Kind;

class SocketTransportTest : public testing::Test {
 protected:
  SocketTransportTest() {
    auto pair = make_socketpair();
    here_ = std::move(pair->first);
    there_ = std::move(pair->second);
  }

  std::unique_ptr<SocketTransport> here_;
  std::unique_ptr<SocketTransport> there_;
};

/// Sends one byte with a copy of stdin's descriptor.
void send_descriptor(int socket) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  char byte = 'x';
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int descriptor = STDIN_FILENO;
  std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  ASSERT_EQ(::sendmsg(socket, &message, 0), 1);
}

TEST_F(SocketTransportTest, DescriptorsAreClosedOnExec) {
  EXPECT_EQ(::fcntl(here_->fd(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

TEST_F(SocketTransportTest, DescriptorsSentAlongAreNotReceived) {
  const auto before = open_descriptors();
  send_descriptor(there_->fd());

  EXPECT_EQ(test::read_once(*here_), "x");
  EXPECT_EQ(open_descriptors(), before);
}

int send_buffer_of(const SocketTransport& connection) {
  int size = 0;
  socklen_t length = sizeof size;
  EXPECT_EQ(::getsockopt(connection.fd(), SOL_SOCKET, SO_SNDBUF, &size, &length), 0);
  return size;
}

IoResult write_bytes(Transport& connection, std::size_t count) {
  std::vector<std::byte> bytes(count);
  const iovec piece{bytes.data(), bytes.size()};
  return connection.try_write({&piece, 1});
}

TEST_F(SocketTransportTest, AReadThatADescriptorCutsShortDoesNotSayThatItTookAll) {
  send_descriptor(there_->prepare_wait(Interest::read).fd());
  ASSERT_EQ(test::write_once(*there_, "the rest").kind(), Kind::bytes);
  std::array<std::byte, 64> buffer{};

  const IoResult first = here_->try_read(buffer);

  ASSERT_EQ(first.kind(), Kind::bytes);
  EXPECT_EQ(first.count(), 1U);
  EXPECT_FALSE(first.is_all());
  EXPECT_EQ(test::read_once(*here_), "the rest");
}

TEST_F(SocketTransportTest, TheFirstLargeWriteEnlargesTheSendBuffer) {
  constexpr std::size_t mebibyte = std::size_t{1} << 20U;
  int most = 0;
  std::ifstream("/proc/sys/net/core/wmem_max") >> most;
  const int before = send_buffer_of(*here_);
  const int wanted = std::max(before, 2 * std::min(most, static_cast<int>(mebibyte)));

  write_bytes(*here_, 1000);
  EXPECT_EQ(send_buffer_of(*here_), before);
  write_bytes(*here_, mebibyte);
  EXPECT_EQ(send_buffer_of(*here_), wanted);
}

TEST_F(SocketTransportTest, ALargerSendBufferStaysAsItIs) {
  constexpr int larger = 1'500'000;
  ::setsockopt(here_->fd(), SOL_SOCKET, SO_SNDBUF, &larger, sizeof larger);
  const int before = send_buffer_of(*here_);

  write_bytes(*here_, 1'000'000);

  EXPECT_GE(send_buffer_of(*here_), before);
}

TEST_F(SocketTransportTest, UnreadBytesOfOursDoNotHideWhatThePeerSaid) {
  ASSERT_EQ(test::write_once(*here_, "never read").kind(), Kind::bytes);
  ASSERT_EQ(test::write_once(*there_, "GOAWAY").kind(), Kind::bytes);
  there_.reset();  // the kernel now has ECONNRESET for us

  EXPECT_EQ(test::read_once(*here_), "GOAWAY");
}

TEST_F(SocketTransportTest, DestructorInAForkedChildLeavesTheParentsConnectionAlone) {
  ChildProcess child([this] {
    here_.reset();
    there_.reset();
    return 0;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_EQ(test::write_once(*here_, "x").kind(), Kind::bytes);
  EXPECT_EQ(test::read_once(*there_), "x");
  EXPECT_EQ(test::read_kind(*there_), Kind::would_block);
}

TEST_F(SocketTransportTest, AbortInAForkedChildFailsThereOnly) {
  ChildProcess child([this] {
    here_->abort(std::make_error_code(std::errc::timed_out));
    return test::read_kind(*here_) == Kind::failed ? 0 : 1;
  });
  ASSERT_EQ(child.wait(), 0);

  EXPECT_EQ(test::write_once(*here_, "x").kind(), Kind::bytes);
  EXPECT_EQ(test::read_once(*there_), "x");
}

TEST_F(SocketTransportTest, ThePeerSeesTheEndEvenIfAForkedChildHoldsACopy) {
  test::ProcessSignal finish;
  ChildProcess child([&] { return finish.wait() ? 0 : 1; });
  here_.reset();

  EXPECT_EQ(test::read_kind(*there_), Kind::end_of_stream);

  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
