// SPDX-License-Identifier: Apache-2.0
// Server processes that want one socket path: the living keeps it, the dead is replaced at once.
#include "integration/server_process.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using testing::HasSubstr;

class SocketTakeover : public testing::Test {
 protected:
  bool is_served() const {
    Channel channel("unix:" + path_);
    const Echo::Client echo(channel);
    return echo.Unary(request_of("x"), CallOptions().timeout(std::chrono::seconds(20))).ok();
  }
  ino_t inode() const {
    struct stat status {};
    return ::stat(path_.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  LogCapture log_;
  TempDir folder_;
  std::string path_ = folder_.file("one.sock");
};

TEST_F(SocketTakeover, OfALivingServerIsRefusedAndLeavesItUntouched) {
  ServerProcess first(path_);
  ASSERT_TRUE(first.is_ready());
  const ino_t before = inode();
  Server second;

  const Result<void> listening = second.try_listen("unix:" + path_);

  EXPECT_EQ(listening.status().code(), StatusCode::unavailable);
  EXPECT_THAT(listening.status().message(), HasSubstr("address in use"));
  EXPECT_THAT(listening.status().message(), HasSubstr(path_));
  EXPECT_EQ(inode(), before);
  EXPECT_TRUE(is_served());
}

TEST_F(SocketTakeover, OfAServerThatWasKilledWorksAtOnceAgainAndAgain) {
  for (int i = 0; i < 10; ++i) {
    ServerProcess server(path_);
    ASSERT_TRUE(server.is_ready()) << i;
    ASSERT_TRUE(is_served()) << i;
    server.kill();
    ASSERT_NE(inode(), 0U) << "a killed server leaves its socket";
  }
}

TEST_F(SocketTakeover, ByManyAtOnceHasExactlyOneWinner) {
  constexpr int contenders = 8;
  ProcessSignal go;
  ProcessSignal won;
  ProcessSignal lost;
  ProcessSignal over;
  { ServerProcess(path_).kill(); }  // a stale socket is in the way, or nothing yet
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (int i = 0; i < contenders; ++i) {
    children.push_back(std::make_unique<ChildProcess>([&] {
      EchoService service;
      Server server;
      go.wait();
      server.add_service(service).listen("unix:" + path_);
      if (!server.start().ok()) {
        lost.raise();
        return 1;
      }
      won.raise();
      over.leave_raising_to_others();
      over.wait();
      server.stop();
      server.wait();
      return 0;
    }));
  }

  for (int i = 0; i < contenders; ++i)
    go.raise();

  for (int i = 0; i < contenders - 1; ++i)
    ASSERT_TRUE(lost.wait_for(20)) << i;
  ASSERT_TRUE(won.wait_for(20));
  EXPECT_TRUE(is_served());
  over.raise();
  int winners = 0;
  for (const auto& child : children)
    winners += child->wait() == 0 ? 1 : 0;
  EXPECT_EQ(winners, 1);
  EXPECT_EQ(inode(), 0U) << "the winner removed its socket";
}

TEST_F(SocketTakeover, AServerWhoseNameSomebodyDeletedTakesItBack) {
  ServerProcess server(path_);
  ASSERT_TRUE(server.is_ready());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ::unlink((path_ + ".lock").c_str());

  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (inode() == 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();

  EXPECT_TRUE(is_served());
  EXPECT_EQ(server.stop(), 0);
  EXPECT_EQ(inode(), 0U);
}

}  // namespace
}  // namespace nearcall::test
