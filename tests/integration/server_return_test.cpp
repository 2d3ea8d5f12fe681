// SPDX-License-Identifier: Apache-2.0
// Clients whose calls wait for their server, while real servers come, go and are killed.
#include "integration/both_drivers.hpp"
#include "integration/server_process.hpp"
#include "support/child_process.hpp"
#include "support/log_capture.hpp"
#include "support/rounds.hpp"
#include "support/temp_dir.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

CallOptions waiting() {
  return CallOptions().timeout(20s).wait_for_ready();
}

Task<Status> call_awaited(const Echo::Client& echo) {
  const EchoRequest request = request_of("x");
  auto call = echo.UnaryAsync(request, waiting());
  const Result<EchoReply> reply = co_await call;
  co_return reply.status();
}

Status call(ClientDriver driver, const Echo::Client& echo) {
  if (driver == ClientDriver::blocking) return echo.Unary(request_of("x"), waiting()).status();
  return sync_wait(call_awaited(echo));
}

class ServerReturn : public testing::TestWithParam<ClientDriver> {
 protected:
  std::unique_ptr<ServerProcess> server(const std::string& path) const {
    ServerSetup setup;
    setup.listen.take_over(true);
    auto started = std::make_unique<ServerProcess>(path, setup);
    return started->is_ready() ? std::move(started) : nullptr;
  }

  const TempDir folder_;
  const std::string path_ = folder_.file("server.sock");
};

INSTANTIATE_TEST_SUITE_P(Drivers,
                         ServerReturn,
                         testing::Values(ClientDriver::blocking, ClientDriver::loop),
                         driver_name);

/// Clients in processes of their own: the servers are forked here.
TEST_P(ServerReturn, RestartsByTakingThePathOverLoseNoCall) {
  ProcessSignal over;
  std::unique_ptr<ServerProcess> serving = server(path_);
  ASSERT_NE(serving, nullptr);
  ChildProcess client([&] {
    const Echo::Client echo{Channel("unix:" + path_)};
    int calls = 0;
    for (;; ++calls) {
      const Status status = call(GetParam(), echo);
      if (!status.ok()) {
        std::fprintf(stderr, "call %d: %s\n", calls, status.to_string().c_str());
        return 1;
      }
      if (over.wait_for(0)) return 0;
    }
  });

  for (int i = 0; i < rounds(50, 1000); ++i) {
    std::unique_ptr<ServerProcess> next = server(path_);
    ASSERT_NE(next, nullptr) << i;
    ASSERT_EQ(serving->stop(), 0) << i;
    serving = std::move(next);
  }

  over.raise();
  EXPECT_EQ(client.wait(), 0);
}

/// A client that calls while nobody is there, `rounds` times, and is answered by the next server.
class Absence {
 public:
  Absence(ClientDriver driver, const std::string& path, int rounds)
      : client_([this, driver, path, rounds] {
          const Echo::Client echo{Channel("unix:" + path)};
          for (int i = 0; i < rounds; ++i) {
            if (!there_.wait_for(20) || !call(driver, echo).ok()) return 1;
            answered_.raise();
            if (!gone_.wait_for(20)) return 2;
            calling_.raise();
            if (const Status status = call(driver, echo); !status.ok()) {
              std::fprintf(stderr, "round %d: %s\n", i, status.to_string().c_str());
              return 3;
            }
            answered_.raise();
          }
          return 0;
        }) {}

  /// To be called where a server is there, and stays until it has answered.
  bool gets_first_answer() {
    there_.raise();
    return has_answer();
  }
  bool has_answer() { return answered_.wait_for(20); }
  bool is_calling() {
    gone_.raise();
    return calling_.wait_for(20);
  }
  int wait() { return client_.wait(); }

 private:
  ProcessSignal there_;
  ProcessSignal answered_;
  ProcessSignal gone_;
  ProcessSignal calling_;
  ChildProcess client_;
};

TEST_P(ServerReturn, AServerThatIsKilledAndComesBackLaterAnswersWhoCalledMeanwhile) {
  const std::string directory = folder_.file("run");
  const std::string path = directory + "/server.sock";
  constexpr int usual = 6;
  Absence client(GetParam(), path, usual);
  for (int i = 0; i < usual; ++i) {
    std::filesystem::create_directory(directory);
    std::unique_ptr<ServerProcess> first = server(path);
    ASSERT_NE(first, nullptr);
    ASSERT_TRUE(client.gets_first_answer()) << i;
    first->kill();
    if (i % 2 == 1) std::filesystem::remove_all(directory);  // as systemd's RuntimeDirectory=
    ASSERT_TRUE(client.is_calling());

    std::filesystem::create_directory(directory);
    std::unique_ptr<ServerProcess> second = server(path);

    ASSERT_NE(second, nullptr);
    ASSERT_TRUE(client.has_answer()) << i;
    second->kill();
    std::filesystem::remove_all(directory);
  }
  EXPECT_EQ(client.wait(), 0);
}

}  // namespace
}  // namespace nearcall::test
