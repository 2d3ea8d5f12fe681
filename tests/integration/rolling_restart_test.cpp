// SPDX-License-Identifier: Apache-2.0
// Servers that follow each other at one path, while clients call: no call fails.
#include "integration/both_drivers.hpp"
#include "support/rounds.hpp"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

/// The conversations of each client, in memory that all processes share.
struct Counts {
  static Counts* make() {
    void* const memory =
        ::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : new (memory) Counts;
  }

  std::array<std::atomic<int>, 4> conversations{};
};

class RollingRestart : public testing::Test {
 protected:
  /// A server that stops when the next one has taken over; null if it does not serve.
  std::unique_ptr<ChildProcess> server() {
    auto started = std::make_unique<ChildProcess>([this] {
      EchoService service;
      Server server;
      server.add_service(service);
      for (const std::string& target : targets_)
        server.listen(target, ListenOptions().take_over(true));
      if (const Result<void> serves = server.start(); !serves) {
        std::fprintf(stderr, "%s\n", serves.status().to_string().c_str());
        return 1;
      }
      serves_.raise();
      server.wait();
      return 0;
    });
    return serves_.wait_for(10) ? std::move(started) : nullptr;
  }

  /// Calls until it is told to stop, or a call fails: its exit status. Counts its conversations.
  static int call(ClientDriver driver,
                  const std::string& target,
                  ProcessSignal& over,
                  std::atomic<int>& conversations) {
    const Channel channel(target);
    const Echo::Client echo(channel);
    do {
      const Status status =
          converse(driver, echo, {.rounds = 5, .big_size = 100'000, .replies = 20});
      ++conversations;
      if (status.ok()) continue;
      std::fprintf(stderr, "%s: %s\n", driver == ClientDriver::loop ? "loop" : "blocking",
                   status.to_string().c_str());
      return 1;
    } while (!over.wait_for(0));
    return 0;
  }

  /// Waits until each client has ended one more conversation.
  bool has_everybody_talked() const {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (const std::atomic<int>& conversations : counts_->conversations) {
      const int before = conversations;
      while (conversations == before) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::yield();
      }
    }
    return true;
  }

  const TempDir folder_;
  /// What is handed over first stops the server, and the rest must not be lost by that.
  const std::vector<std::string> targets_{"unix:" + folder_.file("one"),
                                          "unix:" + folder_.file("two")};
  ProcessSignal serves_;
  const std::unique_ptr<Counts, void (*)(Counts*)> counts_{
      Counts::make(), [](Counts* counts) { ::munmap(counts, sizeof(Counts)); }};
};

TEST_F(RollingRestart, FailsNoCall) {
  ASSERT_NE(counts_, nullptr);
  std::unique_ptr<ChildProcess> serving = server();
  ASSERT_NE(serving, nullptr);
  ProcessSignal over;
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (const std::string& target : targets_) {
    for (const ClientDriver driver : {ClientDriver::blocking, ClientDriver::loop}) {
      std::atomic<int>& count = counts_->conversations[clients.size()];
      clients.push_back(std::make_unique<ChildProcess>(
          [&, driver] { return call(driver, target, over, count); }));
    }
  }

  for (int i = 0; i < rounds(50, 1000); ++i) {
    std::unique_ptr<ChildProcess> next = server();
    ASSERT_NE(next, nullptr) << i;
    ASSERT_EQ(serving->wait(), 0) << i;
    serving = std::move(next);
    ASSERT_TRUE(has_everybody_talked()) << i;
  }

  for (std::size_t i = 0; i < clients.size(); ++i)
    over.raise();
  for (const auto& client : clients)
    EXPECT_EQ(client->wait(), 0);
}

}  // namespace
}  // namespace nearcall::test
