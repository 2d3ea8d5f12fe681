// SPDX-License-Identifier: Apache-2.0
// UnixConnector: at once, after a wait for the backlog, or with the reason why not.
#include "transport/unix_connector.hpp"

#include "support/child_process.hpp"
#include "support/io.hpp"
#include "support/temp_dir.hpp"
#include "transport/connecting.hpp"
#include "transport/listening.hpp"
#include "transport/unix_listener.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace nearcall::inline v0::detail {
namespace {

using testing::HasSubstr;

class UnixConnectorTest : public testing::Test {
 protected:
  static Endpoint endpoint_of(const std::string& target) { return *Endpoint::parse(target); }
  void expect_failure(const std::string& message) {
    const auto connection = test::connect_now(connector_);
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().code(), StatusCode::unavailable);
    EXPECT_EQ(connection.error().message(), "unix:" + path_ + ": " + message);
  }

  test::TempDir directory_;
  const std::string path_ = directory_.file("x.sock");
  UnixConnector connector_{endpoint_of("unix:" + path_)};
};

TEST_F(UnixConnectorTest, ConnectsWithoutASuspensionAndWithoutALoop) {
  const UniqueFd server = test::listening_at(path_);
  bool is_done = false;
  auto task = connector_.connect(test::no_hurry());

  detail::start(
      task, [](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &is_done);

  ASSERT_TRUE(is_done);
  const auto connection = detail::take_result(task);
  ASSERT_TRUE(connection);
  EXPECT_EQ(test::write_once(**connection, "x").kind(), IoResult::Kind::bytes);
}

TEST_F(UnixConnectorTest, PeerIsWhoeverListens) {
  test::ProcessSignal listens;
  test::ProcessSignal finish;
  test::ChildProcess child([&] {
    const UniqueFd server = test::listening_at(path_);
    listens.raise();
    return finish.wait() ? 0 : 1;
  });
  ASSERT_TRUE(listens.wait());

  const auto connection = test::connect_now(connector_);

  ASSERT_TRUE(connection);
  EXPECT_EQ((*connection)->peer().pid(), child.pid());
  EXPECT_EQ((*connection)->peer().uid(), ::geteuid());
  EXPECT_EQ((*connection)->peer().address(), "unix:" + path_);
  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(UnixConnectorTest, AbstractNameConnects) {
  const std::string target = "unix-abstract:nearcall-connect-" + std::to_string(::getpid());
  UnixListener listener(endpoint_of(target));
  ASSERT_TRUE(listener.bind());
  UnixConnector connector(endpoint_of(target));

  const auto connection = test::connect_now(connector);

  ASSERT_TRUE(connection);
  EXPECT_EQ((*connection)->peer().address(), target);
}

TEST_F(UnixConnectorTest, MissingAbstractNameIsRefused) {
  const std::string target = "unix-abstract:nearcall-none-" + std::to_string(::getpid());
  UnixConnector connector(endpoint_of(target));

  const auto connection = test::connect_now(connector);

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().message(), target + ": connect: Connection refused");
}

TEST_F(UnixConnectorTest, MissingSocketIsNamed) {
  expect_failure("connect: No such file or directory");
}

TEST_F(UnixConnectorTest, StaleSocketIsToldApart) {
  test::leave_stale_socket_at(path_);

  expect_failure(
      "connect: Connection refused (nobody listens: the server has gone and left its socket)");
}

TEST_F(UnixConnectorTest, PlainFileIsToldApart) {
  std::ofstream(path_) << "x";

  expect_failure("connect: Connection refused (it is not a socket)");
}

TEST_F(UnixConnectorTest, SocketOfAnotherTypeIsNamed) {
  const UniqueFd other = test::bound_at(path_, SOCK_DGRAM);

  expect_failure("connect: Protocol wrong type for socket");
}

TEST_F(UnixConnectorTest, MissingPermissionIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  const UniqueFd server = test::listening_at(path_);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  test::ChildProcess child([&] {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 1;
    const auto connection = test::connect_now(connector_);
    return connection.status().message() == "unix:" + path_ + ": connect: Permission denied" ? 0
                                                                                             : 2;
  });

  EXPECT_EQ(child.wait(), 0);
}

class FullBacklog : public UnixConnectorTest {
 protected:
  const UniqueFd server_ = test::listening_at(path_, /*backlog=*/1);
  const std::vector<UniqueFd> waiting_ = test::fill_backlog(SocketAddress::unix_path(path_));
};

TEST_F(FullBacklog, IsWaitedForUntilThereIsRoom) {
  test::PendingConnect connect(connector_, test::no_hurry());
  ASSERT_FALSE(connect.is_done_after_a_turn());
  const UniqueFd accepted(::accept4(server_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(accepted);

  const auto connection = connect.take();

  ASSERT_TRUE(connection) << connection.error().to_string();
  EXPECT_EQ(test::write_once(**connection, "x").kind(), IoResult::Kind::bytes);
}

TEST_F(FullBacklog, IsGivenUpAtTheDeadline) {
  const auto connection = test::connect_now(connector_, test::no_time());

  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::unavailable);
  EXPECT_THAT(connection.error().message(), HasSubstr("backlog was full until the deadline"));
}

TEST_F(FullBacklog, WaitEndsAtOnceWhenCancelled) {
  std::stop_source stop;
  test::PendingConnect connect(connector_, test::no_hurry(stop.get_token()));
  ASSERT_FALSE(connect.is_done_after_a_turn());

  stop.request_stop();

  const auto connection = connect.take();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code(), StatusCode::cancelled);
}

TEST_F(FullBacklog, WaitingConnectMayBeAbandoned) {
  test::PendingConnect connect(connector_, test::no_hurry());

  EXPECT_FALSE(connect.is_done_after_a_turn());
}

}  // namespace
}  // namespace nearcall::inline v0::detail
