// SPDX-License-Identifier: Apache-2.0
// A connector of a function, and one that checks whom another one has reached.
#include "client/checking_connector.hpp"

#include "client/connect_attempt.hpp"
#include "client/script_methods.hpp"
#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/scoped_variable.hpp"
#include "support/temp_dir.hpp"
#include "transport/shared_directory.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
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

class NameCheckingConnectorTest : public CheckingConnectorTest {
 protected:
  NameCheckingConnectorTest() {
    EXPECT_EQ(::mkdir(app_.c_str(), 0755), 0);
    std::ofstream(app_ + "/x.sock") << "x";
  }

  /// A call of a socket of that name where this user's server listens.
  static Status status_of_reaching(uid_t server, const std::string& target) {
    const auto reaches = detail::make_connector(ConnectCallback(
        [server](ConnectContext context) { return reach(server, std::move(context)); }));
    const auto name = detail::Endpoint::parse(target);
    return connect(detail::make_name_checking_connector(reaches, *name)).status();
  }
  Status status_of_reaching(uid_t server) const {
    return status_of_reaching(server, "unix:" + app_ + "/x.sock");
  }
  void open_to_others() { ASSERT_EQ(::chmod(app_.c_str(), 01777), 0); }
  static void expect_refusal(const Status& status, const std::string& why) {
    EXPECT_EQ(status.code(), StatusCode::unavailable);
    EXPECT_EQ(status.reason(), StatusReason::wrong_server);
    EXPECT_EQ(status.message(),
              "mine: not the server that is expected: uid 4711 is not admitted (same user or "
              "root), and " +
                  why +
                  ", so that anybody may have made the socket; ChannelOptions::expect_server() "
                  "says who the server may be");
  }

  const TempDir directory_;
  const std::string app_ = directory_.file("app");
};

constexpr uid_t stranger = 4711;

TEST_F(NameCheckingConnectorTest, BelievesWhoeverListensWhereOthersMayNotWrite) {
  EXPECT_TRUE(status_of_reaching(stranger).ok());
}

TEST_F(NameCheckingConnectorTest, BelievesOnlyItsUserAndRootWhereOthersMayWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a socket away";
  ASSERT_EQ(::chown((app_ + "/x.sock").c_str(), stranger, stranger), 0);
  open_to_others();

  expect_refusal(status_of_reaching(stranger),
                 "others may write to the directory " + app_ + " (mode 1777)");
  EXPECT_TRUE(status_of_reaching(::geteuid()).ok());
  EXPECT_TRUE(status_of_reaching(0).ok());
}

TEST_F(NameCheckingConnectorTest, BelievesOnlyItsUserAndRootAtAnAbstractName) {
  const std::string target = "unix-abstract:x";

  expect_refusal(status_of_reaching(stranger, target), "everybody may take an abstract name");
  EXPECT_TRUE(status_of_reaching(::geteuid(), target).ok());
  EXPECT_TRUE(status_of_reaching(0, target).ok());
}

/// A stranger's server, and what a channel makes of it.
class StrangersServerTest : public NameCheckingConnectorTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
    log_capture().allow("others may write to the directory");
    ASSERT_EQ(::chmod(directory_.path().c_str(), 01777), 0);
  }
  /// Of a call to a stranger who listens there, and answers nothing.
  static Status status_of_call(const std::string& target,
                               const ChannelOptions& options,
                               std::chrono::milliseconds timeout) {
    ProcessSignal listens;
    ProcessSignal finish;
    ChildProcess child([&] {
      if (::setgid(stranger) != 0 || ::setuid(stranger) != 0) return 1;
      if (target.starts_with("unix:")) ::mkdir(directory_in(target).c_str(), 0755);
      const auto listener = make_listener(target, untrusted::anyone());
      if (!listener || !(*listener)->bind()) return 2;
      listens.raise();
      return finish.wait() ? 0 : 3;
    });
    EXPECT_TRUE(listens.wait());
    const Channel channel(target, options);
    Status status =
        call_unary(ClientStub(channel, test_methods), CallOptions().timeout(timeout)).status();
    finish.raise();
    EXPECT_EQ(child.wait(), 0);
    return status;
  }
  static std::string directory_in(const std::string& target) {
    return detail::directory_of(target.substr(target.find(':') + 1));
  }
  void expect_doubt(const std::string& target) {
    constexpr std::chrono::seconds more_than_it_takes(10);
    constexpr std::chrono::milliseconds soon(20);
    EXPECT_EQ(status_of_call(target, ChannelOptions(), more_than_it_takes).reason(),
              StatusReason::wrong_server);
    EXPECT_EQ(
        status_of_call(target, ChannelOptions().expect_server(untrusted::anyone()), soon).code(),
        StatusCode::deadline_exceeded)
        << "nobody answers, but it was sent";
  }
};

TEST_F(StrangersServerTest, IsDoubtedInADirectoryForAll) {
  expect_doubt("unix:" + directory_.file("theirs.sock"));
}

TEST_F(StrangersServerTest, IsDoubtedInADirectoryThatTheStrangerMadeInOneForAll) {
  expect_doubt("unix:" + directory_.file("theirs/x.sock"));
}

TEST_F(StrangersServerTest, IsDoubtedAtAnAbstractName) {
  expect_doubt("unix-abstract:nearcall-stranger-" + std::to_string(::getpid()));
}

TEST_F(StrangersServerTest, IsDoubtedAtANamedPipe) {
  const ScopedVariable folder("TMPDIR", directory_.path().c_str());

  expect_doubt("npipe:theirs");
}

TEST_F(CheckingConnectorTest, AnEmptyFunctionIsMisuseAndNotTheTarget) {
  const Channel channel("unix:/nowhere", ChannelOptions().connector(ConnectCallback()));

  const Status status = call_unary(ClientStub(channel, test_methods)).status();

  EXPECT_EQ(status.code(), StatusCode::failed_precondition) << status.to_string();
  EXPECT_EQ(status.reason(), StatusReason::misuse);
}

}  // namespace
}  // namespace nearcall::test
