// SPDX-License-Identifier: Apache-2.0
// What a server's second loop brings, and what it costs on the path of a call.
#include "integration/echo_server.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <latch>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// Those that we may use; of two that share a core, one.
std::size_t count_cores() {
  cpu_set_t usable;
  if (::sched_getaffinity(0, sizeof usable, &usable) != 0) return 1;
  std::set<std::string> cores;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &usable)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings = std::to_string(cpu);
    std::getline(file, siblings);
    cores.insert(siblings);
  }
  return cores.size();
}

/// Counts the calls of several threads, and tells when the first are done, and when all are.
class Tally {
 public:
  void add() noexcept {
    const int count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (count == first) begun.count_down();
    if (count == first + counted) done.count_down();
  }

  std::latch begun{1};
  std::latch done{1};

 private:
  static constexpr int first = 1000;
  static constexpr int counted = 30'000;

  std::atomic<int> count_{0};
};

/// Calls that one thread has under way, one on each of its connections.
class Caller {
 public:
  Caller(const std::string& target, int connections, Tally& tally) : tally_(&tally) {
    for (int i = 0; i < connections; ++i)
      channels_.emplace_back(target, ChannelOptions().spin(SpinPolicy::off()));
    for (const Channel& channel : channels_)
      spawn(loop_, call(Echo::Client(channel)));
    thread_ = std::thread([this] { loop_.run(); });
  }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  ~Caller() {
    loop_.stop();
    thread_.join();
  }

 private:
  Task<void> call(Echo::Client echo) {
    const EchoRequest request = request_of("sixty-four bytes or so");
    for (;;) {
      const Result<EchoReply> reply = co_await echo.UnaryAsync(request);
      if (!reply) std::abort();  // nobody would count to the end
      tally_->add();
    }
  }

  Tally* tally_;
  std::list<Channel> channels_;
  EventLoop loop_{SpinPolicy::off()};
  std::thread thread_;
};

/// How long a server takes for many calls over 64 connections.
double seconds_with(std::size_t loops) {
  const TempDir folder;
  const std::string target = "unix:" + folder.file("s");
  EchoService service;
  Server server(ServerOptions().threads(loops).spin(SpinPolicy::off()));
  server.add_service(service).listen(target);
  EXPECT_TRUE(server.start());
  Tally tally;
  std::list<Caller> callers;
  for (int i = 0; i < 2; ++i)
    callers.emplace_back(target, 32, tally);
  tally.begun.wait();
  const auto begun = std::chrono::steady_clock::now();
  tally.done.wait();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

TEST(ManyLoopsUnderLoad, TwoServeAlmostTwiceAsManyCallsAsOne) {
  if (count_cores() < 4) GTEST_SKIP() << "with fewer than 4 processors the clients have the rest";
  double best = 0;
  for (int attempt = 0; attempt < 3 && best < 1.7; ++attempt) {
    const double one = seconds_with(1);
    best = std::max(best, one / seconds_with(2));
  }

  EXPECT_GE(best, 1.7);
}

constexpr const char* strace = "/usr/bin/strace";

bool can_trace() {
  ChildProcess child([] {
    ::execl(strace, "strace", "-f", "-qq", "-o", "/dev/null", "/bin/true", nullptr);
    return 1;
  });
  return child.wait() == 0;
}

/// A server of two loops in a process of its own, whose futex(2) calls are written down.
class TracedServer {
 public:
  explicit TracedServer(const std::string& target) {
    const std::string log = folder_.file("log");
    child_.emplace([&] {
      ::setpgid(0, 0);
      ::execl(strace, "strace", "-f", "-qq", "-e", "trace=futex", "-o", log.c_str(), ECHO_PROGRAM,
              "--threads=2", target.c_str(), nullptr);
      return 1;
    });
    ::setpgid(child_->pid(), child_->pid());
  }
  /// How many there were until the server has stopped.
  std::ptrdiff_t count() {
    ::kill(-child_->pid(), SIGTERM);  // strace leaves that to what it traces
    EXPECT_EQ(child_->wait(), 0);
    std::ifstream log(folder_.file("log"));
    return std::count(std::istreambuf_iterator<char>(log), std::istreambuf_iterator<char>(), '\n');
  }

 private:
  TempDir folder_;
  std::optional<ChildProcess> child_;
};

TEST(ManyLoops, NoCallTakesAFutex) {
  if (!can_trace()) GTEST_SKIP() << "there is no " << strace << ", or it may not trace";
  constexpr int calls = 2000;
  const TempDir folder;
  const std::string target = "unix:" + folder.file("s");
  TracedServer server(target);
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&target] {
      const Channel channel(target);
      const Echo::Client echo(channel);
      const auto end = std::chrono::steady_clock::now() + 20s;
      while (!echo.Unary(request_of("x")).ok())  // it may not listen yet
        ASSERT_LT(std::chrono::steady_clock::now(), end);
      for (int call = 0; call < calls / 8; ++call)
        EXPECT_TRUE(echo.Unary(request_of("x")).ok());
    });
  }
  for (std::thread& client : clients)
    client.join();

  const std::ptrdiff_t count = server.count();

  EXPECT_GT(count, 0) << "of its start and its end";
  EXPECT_LT(count, calls / 20);
  RecordProperty("futex_calls", static_cast<int>(count));
}

}  // namespace
}  // namespace nearcall::test
