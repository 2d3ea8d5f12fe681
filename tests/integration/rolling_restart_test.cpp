// SPDX-License-Identifier: Apache-2.0
// Servers that follow each other at one path, while clients call: no call fails.
#include "integration/both_drivers.hpp"
#include "integration/echo_child.hpp"
#include "support/notify_socket.hpp"
#include "support/rounds.hpp"
#include "transport/listening.hpp"

#include <poll.h>
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

/// A service of several sockets, whose processes follow each other.
class Service {
 public:
  virtual ~Service() = default;
  virtual bool start() = 0;
  /// Whether the next process serves, and the one before has ended in good order.
  virtual bool restart() = 0;
};

/// Each process takes over from the one before.
class TakenOver final : public Service {
 public:
  explicit TakenOver(const std::vector<std::string>& targets) : targets_(targets) {}

  bool start() override {
    serving_ = server();
    return serving_ != nullptr;
  }
  bool restart() override {
    std::unique_ptr<ChildProcess> next = server();
    if (next == nullptr || serving_->wait() != 0) return false;
    serving_ = std::move(next);
    return true;
  }

 private:
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

  const std::vector<std::string> targets_;
  ProcessSignal serves_;
  std::unique_ptr<ChildProcess> serving_;
};

/// A service manager stops each process before it starts the next one, which gets what the manager
/// keeps: sockets that it made itself, or that the process before has stored.
class Managed final : public Service {
 public:
  Managed(const std::string& notify_path, std::vector<std::string> arguments)
      : notify_(notify_path), arguments_(std::move(arguments)) {}

  void keep(const std::string& name, detail::UniqueFd fd) {
    kept_.emplace_back(name, std::move(fd));
  }
  bool start() override {
    std::vector<int> passed;
    std::string names;
    for (const auto& [name, fd] : kept_) {
      passed.push_back(fd.get());
      names.append(names.empty() ? "" : ":").append(name);
    }
    program_ = std::make_unique<EchoProgram>(arguments_, passed, [&] {
      if (!passed.empty()) activation(passed.size(), names)();
    });
    return is_ready();
  }
  bool restart() override { return program_->stop() == 0 && start(); }
  void kill() { program_->kill(); }
  /// Whether somebody has connected to what is kept and was not accepted.
  bool has_somebody_waiting() const {
    pollfd watched{kept_.front().second.get(), POLLIN, 0};
    return ::poll(&watched, 1, 10'000) == 1;
  }
  std::size_t kept_count() const { return kept_.size(); }

 private:
  /// Hears what the process says, up to READY.
  bool is_ready() {
    const std::string store = "FDSTORE=1\nFDNAME=";
    for (;;) {
      pollfd watched{notify_.fd(), POLLIN, 0};
      if (::poll(&watched, 1, 20'000) != 1) return false;
      detail::UniqueFd fd;
      const std::string said = notify_.hear(&fd);
      if (said == "READY=1") return true;
      if (said.starts_with(store)) keep(said.substr(store.size()), std::move(fd));
    }
  }

  const NotifySocket notify_;
  const std::vector<std::string> arguments_;
  std::vector<std::pair<std::string, detail::UniqueFd>> kept_;
  std::unique_ptr<EchoProgram> program_;
};

enum class Restart { taken_over, passed, stored };

void PrintTo(Restart restart, std::ostream* to) {
  switch (restart) {
    case Restart::taken_over:
      *to << "TakenOver";
      break;
    case Restart::passed:
      *to << "Passed";
      break;
    case Restart::stored:
      *to << "Stored";
      break;
  }
}

class RollingRestart : public testing::TestWithParam<Restart> {
 protected:
  std::unique_ptr<Service> service() const {
    if (GetParam() == Restart::taken_over) return std::make_unique<TakenOver>(targets_);
    std::vector<std::string> arguments{"systemd:"};
    if (GetParam() == Restart::stored) arguments = {"--keep", targets_[0], targets_[1]};
    auto managed = std::make_unique<Managed>(folder_.file("notify"), arguments);
    if (GetParam() == Restart::passed) {
      for (const char* const name : {"one", "two"})
        managed->keep(name, listening_at(folder_.file(name), /*backlog=*/128));
    }
    return managed;
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
  const std::unique_ptr<Counts, void (*)(Counts*)> counts_{
      Counts::make(), [](Counts* counts) { ::munmap(counts, sizeof(Counts)); }};
};

INSTANTIATE_TEST_SUITE_P(Each,
                         RollingRestart,
                         testing::Values(Restart::taken_over, Restart::passed, Restart::stored),
                         testing::PrintToStringParamName());

TEST_P(RollingRestart, FailsNoCall) {
  ASSERT_NE(counts_, nullptr);
  const std::unique_ptr<Service> service = this->service();
  ASSERT_TRUE(service->start());
  ProcessSignal over;
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (const std::string& target : targets_) {
    for (const ClientDriver driver : {ClientDriver::blocking, ClientDriver::loop}) {
      std::atomic<int>& count = counts_->conversations[clients.size()];
      clients.push_back(std::make_unique<ChildProcess>(
          [&, driver] { return call(driver, target, over, count); }));
    }
  }

  const int usual = GetParam() == Restart::taken_over ? 50 : 8;
  for (int i = 0; i < rounds(usual, 1000); ++i) {
    ASSERT_TRUE(service->restart()) << i;
    ASSERT_TRUE(has_everybody_talked()) << i;
  }

  for (std::size_t i = 0; i < clients.size(); ++i)
    over.raise();
  for (const auto& client : clients)
    EXPECT_EQ(client->wait(), 0);
}

TEST(StoredServer, ThatIsKilledLeavesThoseWhoComeToTheNext) {
  const TempDir folder;
  const std::string target = "unix:" + folder.file("s");
  Managed service(folder.file("notify"), {"--keep", target});
  ASSERT_TRUE(service.start());
  ASSERT_EQ(service.kept_count(), 1U);
  service.kill();
  ChildProcess client([&target] {
    const Channel channel(target);
    const CallOptions patient = CallOptions().timeout(std::chrono::seconds(20));
    return Echo::Client(channel).Unary(request_of("x"), patient) ? 0 : 1;
  });
  ASSERT_TRUE(service.has_somebody_waiting());

  ASSERT_TRUE(service.start());

  EXPECT_EQ(client.wait(), 0);
  EXPECT_EQ(service.kept_count(), 1U) << "it has it already";
}

}  // namespace
}  // namespace nearcall::test
