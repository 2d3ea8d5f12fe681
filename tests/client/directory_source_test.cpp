// SPDX-License-Identifier: Apache-2.0
// Which sockets of a directory are backends, as they come and go.
#include "client/directory_source.hpp"

#include "client/several_backends.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/channel.hpp>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::DirectorySource;
using detail::TimePoint;

class DirectorySourceTest : public LogCheckedTest {
 protected:
  /// A socket that nobody listens at any more.
  void make_socket(const std::string& name) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s", folder_.file(name).c_str());
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
  }
  std::vector<std::string> names() {
    now_ += 10ms;
    source_.look(now_);
    std::vector<std::string> found;
    for (const std::string& target : source_.targets())
      found.push_back(target.substr(target.rfind('/') + 1));
    return found;
  }

  TempDir folder_;
  TimePoint now_{1h};
  DirectorySource source_{folder_.path(), /*trusts_all=*/false};
};

using Names = std::vector<std::string>;

TEST_F(DirectorySourceTest, SocketsAreBackendsByTheOrderOfTheirNames) {
  make_socket("b");
  make_socket("a");
  EXPECT_EQ(names(), (Names{"a", "b"}));
  EXPECT_EQ(source_.targets().front(), "unix:" + folder_.file("a"));
  EXPECT_TRUE(source_.failure().ok());
}

TEST_F(DirectorySourceTest, NothingElseIs) {
  make_socket(".hidden");
  std::ofstream(folder_.file("file")) << "text";
  std::filesystem::create_directory(folder_.file("directory"));
  make_socket("real");
  std::filesystem::create_symlink(folder_.file("real"), folder_.file("link"));
  EXPECT_EQ(::mkfifo(folder_.file("fifo").c_str(), 0600), 0);

  EXPECT_EQ(names(), Names{"real"});
}

TEST_F(DirectorySourceTest, TheyComeAndGo) {
  EXPECT_EQ(names(), Names{});
  EXPECT_NE(source_.failure().message().find("there is no socket in it"), std::string::npos);
  make_socket("a");
  EXPECT_EQ(names(), Names{"a"});
  make_socket("b");
  EXPECT_EQ(names(), (Names{"a", "b"}));
  std::filesystem::remove(folder_.file("a"));
  EXPECT_EQ(names(), Names{"b"});
  std::filesystem::rename(folder_.file("b"), folder_.file("c"));
  EXPECT_EQ(names(), Names{"c"});
}

TEST_F(DirectorySourceTest, ItIsNotLookedAtMoreThanEveryTenMilliseconds) {
  EXPECT_EQ(names(), Names{});
  make_socket("a");
  EXPECT_FALSE(source_.look(now_ + 9ms));
  EXPECT_TRUE(source_.targets().empty());
  source_.note_change();
  EXPECT_TRUE(source_.look(now_ + 9ms));
  EXPECT_EQ(source_.targets().size(), 1U);
}

TEST_F(DirectorySourceTest, OneThatDoesNotChangeIsNotReadAgain) {
  make_socket("a");
  EXPECT_EQ(names(), Names{"a"});
  const auto long_ago = std::filesystem::file_time_type::clock::now() - 1h;
  std::filesystem::last_write_time(folder_.path(), long_ago);
  EXPECT_EQ(names(), Names{"a"});
  now_ += 10ms;
  EXPECT_FALSE(source_.look(now_));
}

TEST_F(DirectorySourceTest, AMissingOneFailsUntilItIsThere) {
  DirectorySource source(folder_.file("later"), false);
  EXPECT_TRUE(source.look(now_));
  EXPECT_EQ(source.failure().reason(), StatusReason::no_server);
  EXPECT_NE(source.failure().message().find("unix-dir:" + folder_.file("later")),
            std::string::npos);
  std::filesystem::create_directory(folder_.file("later"));
  make_socket("later/a");
  EXPECT_TRUE(source.look(now_ + 10ms));
  EXPECT_EQ(source.targets().size(), 1U);
}

TEST_F(DirectorySourceTest, OneThatOthersMayWriteToIsNotBelieved) {
  make_socket("a");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  EXPECT_EQ(names(), Names{});
  EXPECT_EQ(source_.failure().reason(), StatusReason::wrong_server);
  EXPECT_NE(source_.failure().message().find("mode 0777"), std::string::npos)
      << source_.failure().message();

  DirectorySource trusting(folder_.path(), /*trusts_all=*/true);
  trusting.look(now_);
  EXPECT_EQ(trusting.targets().size(), 1U);

  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
  EXPECT_EQ(names(), Names{"a"});
}

TEST_F(DirectorySourceTest, AThousandSocketsAreTheMost) {
  for (int i = 0; i <= 1000; ++i)
    make_socket(std::to_string(10000 + i));
  EXPECT_EQ(names().size(), 1000U);
  EXPECT_EQ(names().back(), "10999");
  EXPECT_TRUE(log_capture().take("the rest is left out"));
}

// ---- calls --------------------------------------------------------------------------------------

class DirectoryCalls : public SeveralBackends {
 protected:
  const TempDir folder_;
};

INSTANTIATE_TEST_SUITE_P(Forms,
                         DirectoryCalls,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         testing::PrintToStringParamName());

TEST_P(DirectoryCalls, FailWhereThereIsNoSocket) {
  const Channel channel("unix-dir:" + folder_.path());
  const Status status = call(channel).status();
  EXPECT_EQ(status.code(), StatusCode::unavailable);
  EXPECT_NE(status.message().find("there is no socket in it"), std::string::npos);
  EXPECT_EQ(channel.state(), ConnectivityState::transient_failure);
}

TEST_P(DirectoryCalls, ThatWaitDoNotWaitWhereOthersMayWrite) {
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  const Channel channel("unix-dir:" + folder_.path());
  const Status status = call(channel, patient().wait_for_ready()).status();
  EXPECT_EQ(status.reason(), StatusReason::wrong_server) << status.to_string();
}

TEST_P(DirectoryCalls, ThatWaitEndAtTheirDeadline) {
  const Channel channel("unix-dir:" + folder_.path());
  const Status status = call(channel, CallOptions().timeout(30ms).wait_for_ready()).status();
  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded);
  EXPECT_NE(status.message().find("there is no socket in it"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace nearcall::test
