// SPDX-License-Identifier: Apache-2.0
// A connector of a function, and one that checks whom another one has reached.
#include "client/checking_connector.hpp"

#include "client/connect_attempt.hpp"
#include "client/script_methods.hpp"
#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/temp_dir.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <string>

namespace nearcall::test {
namespace {

Task<Result<std::unique_ptr<Transport>>> make_socket(ConnectContext) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  co_return std::move(pair->first);
}

/// A socket whose other end says that it is of that user.
class ClaimedTransport final : public ForwardingTransport {
 public:
  ClaimedTransport(std::unique_ptr<Transport> socket, uid_t uid)
      : ForwardingTransport(std::move(socket)), peer_("mine", uid, uid, 1) {}
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const PeerIdentity peer_;
};

Task<Result<std::unique_ptr<Transport>>> reach(uid_t server, ConnectContext context) {
  Task<Result<std::unique_ptr<Transport>>> made = make_socket(std::move(context));
  Result<std::unique_ptr<Transport>> socket = co_await std::move(made);
  std::unique_ptr<Transport> claimed =
      std::make_unique<ClaimedTransport>(*std::move(socket), server);
  co_return claimed;
}

Result<std::unique_ptr<Transport>> connect(const std::shared_ptr<Connector>& connector) {
  return detail::connect_blocking(
      connector, ConnectContext("mine", detail::TimePoint::max(), std::stop_token()));
}

class CheckingConnectorTest : public LogCheckedTest {};

TEST_F(CheckingConnectorTest, HandsOverAServerThatIsExpected) {
  const auto connector = detail::make_checking_connector(
      detail::make_connector(ConnectCallback(&make_socket)), untrusted::anyone());

  EXPECT_TRUE(connect(connector).ok());
}

TEST_F(CheckingConnectorTest, HandsOverNoOtherOne) {
  const auto connector =
      detail::make_checking_connector(detail::make_connector(ConnectCallback(&make_socket)),
                                      PeerPolicy::group(static_cast<gid_t>(-2)));

  const Status status = connect(connector).status();

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::wrong_server) << status.to_string();
}

class PathCheckingConnectorTest : public CheckingConnectorTest {
 protected:
  /// A call of a socket in `directory_` where this user's server listens.
  Status status_of_reaching(uid_t server) {
    const auto reaches = detail::make_connector(ConnectCallback(
        [server](ConnectContext context) { return reach(server, std::move(context)); }));
    return connect(detail::make_path_checking_connector(reaches, directory_.file("x.sock")))
        .status();
  }

  const TempDir directory_;
};

constexpr uid_t stranger = 4711;

TEST_F(PathCheckingConnectorTest, BelievesWhoeverListensWhereOthersMayNotWrite) {
  EXPECT_TRUE(status_of_reaching(stranger).ok());
}

TEST_F(PathCheckingConnectorTest, BelievesOnlyItsUserAndRootWhereOthersMayWrite) {
  ASSERT_EQ(::chmod(directory_.path().c_str(), 01777), 0);

  const Status status = status_of_reaching(stranger);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_EQ(status.reason(), StatusReason::wrong_server);
  EXPECT_EQ(status.message(),
            "mine: not the server that is expected: uid 4711 is not admitted (same user or root), "
            "and others may write to the directory " +
                directory_.path() +
                " (mode 1777), so that anybody may have made the socket; "
                "ChannelOptions::expect_server() says who the server may be");
  EXPECT_TRUE(status_of_reaching(::geteuid()).ok());
  EXPECT_TRUE(status_of_reaching(0).ok());
}

TEST_F(PathCheckingConnectorTest, BelievesTheOwnerOfTheDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a directory away";
  ASSERT_EQ(::chown(directory_.path().c_str(), stranger, stranger), 0);

  EXPECT_TRUE(status_of_reaching(stranger).ok());
  EXPECT_EQ(status_of_reaching(stranger + 1).reason(), StatusReason::wrong_server);
}

TEST_F(PathCheckingConnectorTest, IsWhatAChannelHasThatSaysNothingElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0777), 0);
  log_capture().allow("others may write to the directory");
  const std::string target = "unix:" + directory_.file("theirs.sock");
  ProcessSignal listens;
  ProcessSignal finish;
  ChildProcess child([&] {
    if (::setgid(stranger) != 0 || ::setuid(stranger) != 0) return 1;
    const auto listener = make_listener(target);
    if (!listener || !(*listener)->bind()) return 2;
    listens.raise();
    return finish.wait() ? 0 : 3;
  });
  ASSERT_TRUE(listens.wait());
  const Channel channel(target, ChannelOptions());
  const Channel knowing(target, ChannelOptions().expect_server(untrusted::anyone()));

  EXPECT_EQ(call_unary(ClientStub(channel, test_methods)).status().reason(),
            StatusReason::wrong_server);
  EXPECT_EQ(call_unary(ClientStub(knowing, test_methods),
                       CallOptions().timeout(std::chrono::milliseconds(1)))
                .status()
                .code(),
            StatusCode::deadline_exceeded)
      << "nobody serves it, but it was sent";

  finish.raise();
  EXPECT_EQ(child.wait(), 0);
}

TEST_F(CheckingConnectorTest, AnEmptyFunctionIsMisuseAndNotTheTarget) {
  const Channel channel("unix:/nowhere", ChannelOptions().connector(ConnectCallback()));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::failed_precondition) << status.to_string();
  EXPECT_EQ(status.reason(), StatusReason::misuse);
}

}  // namespace
}  // namespace nearcall::test
