// SPDX-License-Identifier: Apache-2.0
// Sockets that cannot be reached: the status says which path and why. Proxies: never read.
#include "integration/server_process.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr uid_t nobody = 65534;

Status status_of_call_to(const std::string& target,
                         const ChannelOptions& options = ChannelOptions()) {
  Channel channel(target, options);
  const Echo::Client echo(channel);
  return echo.Unary(request_of("x"), CallOptions().timeout(10s)).status();
}

/// What `body` returns in a process of another user.
std::string as_nobody(const std::function<std::string()>& body) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return "no pipe";
  const detail::UniqueFd read_end(pipe[0]);
  detail::UniqueFd write_end(pipe[1]);
  ChildProcess child([&] {
    if (::setgid(nobody) != 0 || ::setuid(nobody) != 0) return 1;
    const std::string text = body();
    return ::write(write_end.get(), text.data(), text.size()) < 0 ? 2 : 0;
  });
  write_end.reset();
  std::string text;
  std::array<char, 1024> buffer{};
  for (ssize_t count = 0; (count = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  EXPECT_EQ(child.wait(), 0);
  return text;
}

class ConnectFailure : public testing::Test {
 protected:
  LogCapture log_;
  TempDir folder_;
};

TEST_F(ConnectFailure, OfAPathThatIsNotThereIsUnavailableAndSaysSo) {
  const std::string path = folder_.file("missing.sock");

  const Status status = status_of_call_to("unix:" + path);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(path));
  EXPECT_THAT(status.message(), HasSubstr("No such file or directory"));
}

TEST_F(ConnectFailure, OfAFolderThatIsNotThereIsUnavailableAndSaysSo) {
  const std::string path = folder_.file("no/such/folder.sock");

  const Status status = status_of_call_to("unix:" + path);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(path));
}

TEST_F(ConnectFailure, OfAPlainFileIsUnavailableAndSaysThatItIsNoSocket) {
  const std::string path = folder_.file("plain");
  std::ofstream(path) << "no socket";

  const Status status = status_of_call_to("unix:" + path);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(path));
  EXPECT_THAT(status.message(), HasSubstr("not a socket"));
}

TEST_F(ConnectFailure, OfADirectoryIsUnavailableAndSaysThatItIsNoSocket) {
  const Status status = status_of_call_to("unix:" + folder_.path());

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(folder_.path()));
  EXPECT_THAT(status.message(), HasSubstr("not a socket"));
}

TEST_F(ConnectFailure, OfASocketThatADeadServerLeftIsUnavailableAndSaysSo) {
  const std::string path = folder_.file("dead.sock");
  {
    ServerProcess server(path);
    ASSERT_TRUE(server.is_ready());
    server.kill();
  }

  const Status status = status_of_call_to("unix:" + path);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr(path));
  EXPECT_THAT(status.message(), HasSubstr("nobody listens"));
}

TEST_F(ConnectFailure, OfAPathThatIsTooLongIsUnavailableWithLengthAndLimit) {
  const std::string path = "/tmp/" + std::string(256, 'x');

  const Status status = status_of_call_to("unix:" + path);

  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_THAT(status.message(), HasSubstr("256"));
  EXPECT_THAT(status.message(), HasSubstr("255"));
}

TEST_F(ConnectFailure, WithoutPermissionIsUnavailableAndSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  ServerProcess server(folder_.file("closed.sock"));
  ASSERT_TRUE(server.is_ready());

  const std::string text =
      as_nobody([&] { return status_of_call_to(server.target()).to_string(); });

  EXPECT_THAT(text, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(text, HasSubstr(server.path()));
  EXPECT_THAT(text, HasSubstr("Permission denied"));
}

TEST_F(ConnectFailure, InAFolderWithoutPermissionIsUnavailableAndSaysSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  ServerProcess server(folder_.file("closed.sock"));
  ASSERT_TRUE(server.is_ready());

  const std::string text =
      as_nobody([&] { return status_of_call_to(server.target()).to_string(); });

  EXPECT_THAT(text, HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(text, HasSubstr("Permission denied"));
}

TEST_F(ConnectFailure, IsNeverThatOfAProxy) {
  ServerProcess server(folder_.file("direct.sock"));
  ASSERT_TRUE(server.is_ready());
  ChildProcess client([&] {
    for (const char* name : {"http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                             "ALL_PROXY", "all_proxy"}) {
      ::setenv(name, "http://192.0.2.1:9", /*overwrite=*/1);
    }
    ::setenv("no_proxy", "", 1);
    return status_of_call_to(server.target()).ok() ? 0 : 1;
  });

  EXPECT_EQ(client.wait(), 0);
}

class Identity : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  }

  LogCapture log_;
  TempDir folder_;
};

TEST_F(Identity, OfAnotherUserIsRefusedWhereThePolicyDoesNotAdmitHim) {
  ServerSetup setup;
  setup.listen.mode(0666).policy(
      PeerPolicy::any_of({PeerPolicy::same_user_or_root(), PeerPolicy::group(4711)}));
  ServerProcess server(folder_.file("mine.sock"), setup);
  ASSERT_TRUE(server.is_ready());

  const std::string text =
      as_nobody([&] { return status_of_call_to(server.target()).to_string(); });

  EXPECT_THAT(text, HasSubstr("PERMISSION_DENIED"));
  EXPECT_THAT(text, HasSubstr("the server's policy: same user or root or group 4711"));
  EXPECT_TRUE(status_of_call_to(server.target()).ok());
  EXPECT_TRUE(server.has_logged("uid=65534")) << server.log();
  EXPECT_TRUE(server.has_logged("not admitted")) << server.log();
}

TEST_F(Identity, OfAnotherUserIsAdmittedWhereAnyoneIs) {
  ServerSetup setup;
  setup.listen.mode(0666).policy(untrusted::anyone());
  ServerProcess server(folder_.file("open.sock"), setup);
  ASSERT_TRUE(server.is_ready());

  EXPECT_EQ(as_nobody([&] { return status_of_call_to(server.target()).to_string(); }),
            Status().to_string());
}

TEST_F(Identity, OfRootIsAdmittedByAServerOfAnotherUser) {
  TempDir theirs;
  ASSERT_EQ(::chown(theirs.path().c_str(), nobody, nobody), 0);
  ServerSetup setup;
  setup.user = nobody;
  ServerProcess server(theirs.file("theirs.sock"), setup);
  ASSERT_TRUE(server.is_ready());

  const Status status =
      status_of_call_to(server.target(), ChannelOptions().expect_server(untrusted::anyone()));

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST(IdentityOfListeners, ThatHaveNoneIsRefusedUntilSomebodySaysAnyone) {
  for (const char* target : {"unix-abstract:nearcall-hostile-test", "ipv4:127.0.0.1:0"}) {
    Server server;
    const Result<void> listening = server.try_listen(target);

    EXPECT_EQ(listening.status().code(), StatusCode::failed_precondition) << target;
    EXPECT_THAT(listening.status().message(), HasSubstr("untrusted::anyone()")) << target;
  }
}

}  // namespace
}  // namespace nearcall::test
