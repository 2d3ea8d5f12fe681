// SPDX-License-Identifier: Apache-2.0
// What a connection to a child says of the child's end.
#include "transport/child_transport.hpp"

#include "support/io.hpp"
#include "transport/started.hpp"

#include <gtest/gtest.h>
#include <signal.h>

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
    std::array<int, 2> fds{-1, -1};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
    UniqueFd ours(fds[0]);
    const UniqueFd theirs(fds[1]);
    ProcessPlan plan = test::shell(std::move(script));
    plan.descriptors = {{theirs.get(), 3}};
    plan.has_group = true;
    auto process = StartedProcess::start(plan, "x");
    ASSERT_TRUE(process);
    pid_ = (*process)->pid();
    auto made = ChildTransport::make(std::move(ours), *std::move(process), "spawn:x");
    ASSERT_TRUE(made);
    transport_ = *std::move(made);
  }
  /// What a read answers once there is something to read.
  IoResult read_when_ready() {
    EXPECT_TRUE(test::park(*transport_, Interest::read));
    std::array<std::byte, 100> buffer{};
    return transport_->try_read(buffer);
  }

  pid_t pid_ = 0;
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

TEST_F(ChildTransportTest, TakesTheChildAlong) {
  start("read line <&3; exec sleep 1000");

  transport_.reset();

  EXPECT_NE(::kill(pid_, 0), 0);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
