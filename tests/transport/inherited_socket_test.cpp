// SPDX-License-Identifier: Apache-2.0
// What a descriptor that was handed over may be, and what is said of all others.
#include "transport/inherited_socket.hpp"

#include "support/temp_dir.hpp"
#include "transport/listening.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <array>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

struct Pair {
  UniqueFd one;
  UniqueFd other;
};

Pair make_pair(int type = SOCK_STREAM) {
  std::array<int, 2> fds{-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, type, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// What is said of a descriptor that is of no use.
std::string complaint_about(int fd) {
  const Result<InheritedSocket> socket = InheritedSocket::inspect(fd, "fd:3");
  if (socket) return "none";
  EXPECT_EQ(socket.error().code(), StatusCode::failed_precondition);
  EXPECT_EQ(socket.error().reason(), StatusReason::misuse);
  return socket.error().message();
}

std::string needs_another_than(const std::string& what) {
  return "fd:3: it has to be a stream socket that listens or is connected, and is " + what;
}

TEST(InheritedSocket, IsNoFile) {
  const test::TempDir directory;
  const UniqueFd file(::open(directory.file("x").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));

  EXPECT_EQ(complaint_about(file.get()), needs_another_than("a plain file"));
}

TEST(InheritedSocket, IsNoDirectory) {
  const UniqueFd root(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

  EXPECT_EQ(complaint_about(root.get()), needs_another_than("a directory"));
}

TEST(InheritedSocket, IsNotDevNull) {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));

  EXPECT_EQ(complaint_about(null.get()),
            needs_another_than("a device, such as /dev/null or a terminal"));
}

TEST(InheritedSocket, IsNoPipe) {
  std::array<int, 2> fds{-1, -1};
  ASSERT_EQ(::pipe2(fds.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(fds[0]);
  const UniqueFd write_end(fds[1]);

  EXPECT_EQ(complaint_about(read_end.get()), needs_another_than("a pipe"));
}

TEST(InheritedSocket, IsNoUdpSocket) {
  const UniqueFd udp(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

  EXPECT_EQ(complaint_about(udp.get()), needs_another_than("a datagram socket, as of UDP"));
}

TEST(InheritedSocket, IsNoSocketOfPackets) {
  const Pair pair = make_pair(SOCK_SEQPACKET);

  EXPECT_EQ(complaint_about(pair.one.get()), needs_another_than("a socket of packets"));
}

TEST(InheritedSocket, IsNotClosed) {
  Pair pair = make_pair();
  const int closed = pair.other.get();
  pair.other.reset();

  EXPECT_EQ(complaint_about(closed), "fd:3: that descriptor is not open");
  EXPECT_EQ(complaint_about(-1), "fd:3: that descriptor is not open");
}

TEST(InheritedSocket, IsNeitherFreshNorOnlyBound) {
  const std::string idle = needs_another_than("one that neither listens nor is connected");
  const test::TempDir directory;

  EXPECT_EQ(complaint_about(test::unix_socket().get()), idle);
  EXPECT_EQ(complaint_about(test::bound_at(directory.file("s")).get()), idle);
}

TEST(InheritedSocket, OfWhichNothingIsTakenStaysAsItWas) {
  const Pair pair = make_pair();
  ASSERT_EQ(::fcntl(pair.one.get(), F_SETFD, 0), 0);

  ASSERT_TRUE(InheritedSocket::inspect(pair.one.get(), "fd:3"));

  EXPECT_EQ(::fcntl(pair.one.get(), F_GETFD), 0);
}

TEST(InheritedSocket, ThatIsConnectedIsOneSocketOfAPair) {
  Pair pair = make_pair();
  ASSERT_EQ(::fcntl(pair.one.get(), F_SETFD, 0), 0);

  const auto socket = InheritedSocket::inspect(pair.one.get(), "fd:3");

  ASSERT_TRUE(socket) << socket.error().to_string();
  EXPECT_FALSE(socket->is_listening());
  EXPECT_TRUE(socket->is_unix());
  EXPECT_FALSE(socket->has_path());
  EXPECT_FALSE(socket->is_close_on_exec());
  EXPECT_EQ(socket->address(), "fd:3");
  const int number = pair.one.release();
  const UniqueFd taken = socket->take();
  EXPECT_EQ(taken.get(), number);
  EXPECT_EQ(::fcntl(number, F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(::fcntl(number, F_GETFL) & O_NONBLOCK, 0) << "others may share the description";
}

TEST(InheritedSocket, ThatListensAtAPathIsNonBlockingOnceTaken) {
  const test::TempDir directory;
  UniqueFd listening = test::listening_at(directory.file("s"));
  ASSERT_EQ(::fcntl(listening.get(), F_SETFL, 0), 0);

  const auto socket = InheritedSocket::inspect(listening.get(), "fd:3");

  ASSERT_TRUE(socket) << socket.error().to_string();
  EXPECT_TRUE(socket->is_listening());
  EXPECT_TRUE(socket->is_unix());
  EXPECT_TRUE(socket->has_path());
  EXPECT_TRUE(socket->is_close_on_exec());
  EXPECT_EQ(socket->address(), "unix:" + directory.file("s"));
  listening.release();
  const UniqueFd taken = socket->take();
  EXPECT_NE(::fcntl(taken.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(InheritedSocket, ThatListensOnTcpHasNoCredentials) {
  const UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::listen(listening.get(), 1), 0);  // at any free port

  const auto socket = InheritedSocket::inspect(listening.get(), "fd:3");

  ASSERT_TRUE(socket) << socket.error().to_string();
  EXPECT_TRUE(socket->is_listening());
  EXPECT_FALSE(socket->is_unix());
  EXPECT_TRUE(socket->address().starts_with("ipv4:0.0.0.0:")) << socket->address();
}

TEST(InheritedSocket, ThatHasAnAbstractNameHasNoPath) {
  const auto name =
      Endpoint::parse("unix-abstract:nearcall-inherited-" + std::to_string(::getpid()));
  const SocketAddress address(*name);
  const UniqueFd listening = test::unix_socket();
  ASSERT_EQ(::bind(listening.get(), address.get(), address.size()), 0);
  ASSERT_EQ(::listen(listening.get(), 1), 0);

  const auto socket = InheritedSocket::inspect(listening.get(), "fd:3");

  ASSERT_TRUE(socket) << socket.error().to_string();
  EXPECT_FALSE(socket->has_path());
  EXPECT_EQ(socket->address(), name->to_string());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
