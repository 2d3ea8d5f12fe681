// SPDX-License-Identifier: Apache-2.0
// What spinning costs where it cannot pay: more runnable threads than processors.
#include "integration/echo_server.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

/// As many threads as there are processors, which never sleep while it lives.
class Load {
 public:
  Load() {
    for (unsigned i = 0; i < std::max(std::thread::hardware_concurrency(), 1U); ++i)
      threads_.emplace_back([this] {
        while (!is_over_.load(std::memory_order_relaxed)) {
        }
      });
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() { is_over_ = true; }

 private:
  std::atomic<bool> is_over_{false};
  std::vector<std::jthread> threads_;
};

/// A server and a client with one policy.
class Pair {
 public:
  explicit Pair(SpinPolicy spin)
      : server_(ServerOptions().spin(spin)),
        channel_("unix:" + folder_.file("echo"), ChannelOptions().spin(spin)),
        echo_(channel_) {
    server_.add_service(service_).listen("unix:" + folder_.file("echo"));
    const Result<void> started = server_.start();
    EXPECT_TRUE(started.ok()) << started.status().to_string();
  }
  ~Pair() {
    server_.stop();
    server_.wait();
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  /// How many calls one thread makes.
  int calls_in(std::chrono::milliseconds duration) {
    const auto end = std::chrono::steady_clock::now() + duration;
    const EchoRequest request = request_of("sixty-four bytes or so");
    int calls = 0;
    while (std::chrono::steady_clock::now() < end && echo_.Unary(request).ok())
      ++calls;
    return calls;
  }

 private:
  TempDir folder_;
  EchoService service_;
  Server server_;
  Channel channel_;
  Echo::Client echo_;
};

int median(std::vector<int> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

/// All threads of this process on one processor, and those that this one starts: where the
/// scheduler puts them, which otherwise decides by more than what is measured, is the same for all.
/// Who has counted the processors before still believes in several.
class OneProcessor {
 public:
  OneProcessor() {
    EXPECT_EQ(::sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &here);
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task"))
      EXPECT_EQ(::sched_setaffinity(std::stoi(thread.path().filename()), sizeof here, &here), 0);
  }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;
  ~OneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

/// Calls that get through spinning for each one that does sleeping, with the processor loaded.
double spun_for_each_slept() {
  constexpr int rounds = 9;
  Pair spinning(SpinPolicy::adaptive());
  Pair sleeping(SpinPolicy::off());
  spinning.calls_in(20ms);
  sleeping.calls_in(20ms);
  const OneProcessor one;
  const Load load;
  std::vector<int> spun;
  std::vector<int> slept;
  for (int round = 0; round < rounds; ++round) {
    spun.push_back(spinning.calls_in(60ms));
    slept.push_back(sleeping.calls_in(60ms));
  }
  EXPECT_GT(median(slept), 0);
  return static_cast<double>(median(spun)) / median(slept);
}

TEST(SpinUnderLoad, IsAtMostAFifthWorseThanNotSpinning) {
  constexpr int attempts = 3;  // other programs run too
  LogCapture log;
  log.allow("event loop occupied");
  double best = 0;

  for (int attempt = 0; attempt < attempts && best < 1 / 1.2; ++attempt) {
    best = std::max(best, spun_for_each_slept());
  }

  RecordProperty("of_sleeping", std::to_string(best));
  EXPECT_GE(best, 1 / 1.2);
}

}  // namespace
}  // namespace nearcall::test
