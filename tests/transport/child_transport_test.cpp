// SPDX-License-Identifier: Apache-2.0
// What a connection to a child says of the child's end.
#include "transport/child_transport.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/system_calls.hpp"
#include "transport/started.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

using Kind = IoResult::Kind;

class ChildTransportTest : public testing::Test {
 protected:
  /// The child has its end of the connection as descriptor 3.
  void start(std::string script) {
    transport_ = started(std::move(script));
    ASSERT_NE(transport_, nullptr);
  }
  std::unique_ptr<Transport> started(std::string script) {
    std::array<int, 2> fds{-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    UniqueFd ours(fds[0]);
    const UniqueFd theirs(fds[1]);
    ProcessPlan plan = test::shell(std::move(script));
    plan.descriptors = {{theirs.get(), 3}};
    plan.has_group = true;
    auto process = StartedProcess::start(plan, "x");
    if (!process) return nullptr;
    pid_ = (*process)->pid();
    pidfd_ = (*process)->fd();
    auto made = ChildTransport::make(std::move(ours), *std::move(process), "spawn:x");
    return made ? *std::move(made) : nullptr;
  }
  bool has_ended() const {
    pollfd watched{pidfd_, POLLIN, 0};
    return ::poll(&watched, 1, 10'000) == 1;
  }
  /// What a read answers once there is something to read.
  IoResult read_when_ready() {
    EXPECT_TRUE(test::park(*transport_, Interest::read));
    std::array<std::byte, 100> buffer{};
    return transport_->try_read(buffer);
  }

  pid_t pid_ = 0;
  int pidfd_ = -1;  // the transport's
  std::unique_ptr<Transport> transport_;
};

TEST_F(ChildTransportTest, EndsWithTheStatusOfTheChild) {
  start("exit 3");

  const IoResult result = read_when_ready();

  ASSERT_EQ(result.kind(), Kind::failed);
  EXPECT_EQ(result.error().message(), "the child exited with status 3");
}

TEST_F(ChildTransportTest, EndsWithTheSignalThatKilledTheChild) {
  start("exec sleep 1000");
  EXPECT_EQ(test::read_kind(*transport_), Kind::would_block);
  ASSERT_EQ(::kill(-pid_, SIGSEGV), 0);

  EXPECT_EQ(read_when_ready().error().message(), "the child was killed by signal 11 (SIGSEGV)");
  EXPECT_EQ(test::write_once(*transport_, "x").error().message(),
            "the child was killed by signal 11 (SIGSEGV)");
}

TEST_F(ChildTransportTest, GivesWhatTheChildWroteLastBeforeItsEnd) {
  start("printf bye >&3; exit 1");

  EXPECT_EQ(test::read_exactly(*transport_, 3), "bye");
  EXPECT_EQ(read_when_ready().error().message(), "the child exited with status 1");
}

TEST_F(ChildTransportTest, EndsWithTheChildAlsoWhereAnotherProcessHasItsEnd) {
  start("sleep 1000 & exit 2");

  EXPECT_EQ(read_when_ready().error().message(), "the child exited with status 2");
}

TEST_F(ChildTransportTest, OfAChildThatClosesItsEndAndLivesOnIsJustClosed) {
  start("exec 3>&-; exec sleep 1000");

  EXPECT_EQ(read_when_ready().kind(), Kind::end_of_stream);
  EXPECT_EQ(test::write_once(*transport_, "x").error(), std::errc::broken_pipe);
}

/// The kernel would name whoever made the socket pair.
TEST_F(ChildTransportTest, NamesTheChildAsOurOwnAndNoUser) {
  start("exec sleep 1000");

  const PeerIdentity& peer = transport_->peer();

  EXPECT_TRUE(peer.is_own());
  EXPECT_FALSE(peer.has_credentials());
  EXPECT_EQ(peer.uid(), static_cast<uid_t>(-1));
  EXPECT_EQ(peer.pid(), pid_);
  EXPECT_EQ(peer.address(), "spawn:x");
}

/// Each is a system call, besides that of the read.
TEST_F(ChildTransportTest, DoesNotAskForTheEndAtEachReadOfWhoSpins) {
  test::ChildProcess spinning([this] {
    const auto transport = started("exec sleep 1000");
    if (transport == nullptr || test::read_kind(*transport) != Kind::would_block) return 1;
#ifdef SYS_poll
    if (!test::answer_system_call(SYS_poll, test::is_killed)) return test::no_seccomp;
#endif
    if (!test::answer_system_call(SYS_ppoll, test::is_killed)) return test::no_seccomp;
    for (int i = 0; i < 100; ++i) {
      if (test::read_kind(*transport) != Kind::would_block) return 2;
    }
    ::kill(pid_, SIGKILL);
    ::_exit(0);
  });

  const int status = spinning.wait();

  if (status == test::no_seccomp) GTEST_SKIP() << "this kernel has no seccomp";
  EXPECT_EQ(status, 0) << "128 + SIGSYS (31): it asked";
}

/// As of a loop that spins on some connections and looks at its descriptors meanwhile.
TEST_F(ChildTransportTest, TellsOfAnEndWhoseEdgeCameWhileSomebodySpun) {
  start("sleep 1000 & printf x >&3; exec sleep 1000");  // the first one has the child's end, too
  ASSERT_EQ(test::read_exactly(*transport_, 1), "x");
  const UniqueFd edges(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{EPOLLIN | EPOLLRDHUP | EPOLLET, {}};
  const int watched = transport_->prepare_wait(Interest::read).fd();
  ASSERT_EQ(::epoll_ctl(edges.get(), EPOLL_CTL_ADD, watched, &event), 0);
  EXPECT_EQ(test::read_kind(*transport_), Kind::would_block);
  ASSERT_EQ(::kill(pid_, SIGKILL), 0);
  ASSERT_EQ(::epoll_wait(edges.get(), &event, 1, 10'000), 1);
  EXPECT_EQ(test::read_kind(*transport_), Kind::would_block);

  EXPECT_TRUE(transport_->prepare_wait(Interest::read).is_ready());

  EXPECT_EQ(test::read_kind(*transport_), Kind::failed);
}

/// The poller tells of an end once, and it may have come with the bytes.
TEST_F(ChildTransportTest, NeverSaysThatTheBytesWereAllThereWas) {
  start("printf bye >&3; exit 1");
  ASSERT_TRUE(has_ended());

  const IoResult result = read_when_ready();

  EXPECT_EQ(result.count(), 3U);
  EXPECT_FALSE(result.is_all());
}

TEST_F(ChildTransportTest, TakesTheChildAlong) {
  start("read line <&3; exec sleep 1000");

  transport_.reset();

  EXPECT_NE(::kill(pid_, 0), 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
