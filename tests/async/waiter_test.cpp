// SPDX-License-Identifier: Apache-2.0
// sleep_for(), wait_readable() and wait_writable(): what ends a wait, and what a wait leaves
// behind.
#include "base/unique_fd.hpp"
#include "support/manual_loop.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <latch>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class SocketPair {
 public:
  SocketPair() {
    int fds[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    near_ = UniqueFd(fds[0]);
    far_ = UniqueFd(fds[1]);
  }
  int near() const { return near_.get(); }
  int far() const { return far_.get(); }
  void send() const { EXPECT_EQ(::write(far(), "x", 1), 1); }

 private:
  UniqueFd near_;
  UniqueFd far_;
};

Task<Clock::duration> measure_sleep(std::chrono::nanoseconds duration) {
  const Clock::time_point start = Clock::now();
  co_await sleep_for(duration);
  co_return Clock::now() - start;
}

Task<bool> sleep_until_stopped(std::stop_token stop, std::chrono::nanoseconds duration) {
  const bool slept = co_await sleep_for(duration, stop);
  co_return slept;
}

TEST(SleepFor, SleepsAtLeastThatLong) {
  EXPECT_GE(sync_wait(measure_sleep(3ms)), 3ms);
  EXPECT_LT(sync_wait(measure_sleep(0ns)), 10s);
  EXPECT_LT(sync_wait(measure_sleep(-1h)), 10s);
}

TEST(SleepFor, SleepsWholeWhenNobodyStopsIt) {
  std::stop_source source;

  EXPECT_TRUE(sync_wait(sleep_until_stopped(source.get_token(), 1ms)));
  EXPECT_TRUE(sync_wait(sleep_until_stopped(std::stop_token(), 1ms)));
}

TEST(SleepFor, DoesNotSleepWhenItWasStoppedBefore) {
  std::stop_source source;
  source.request_stop();

  EXPECT_FALSE(sync_wait(sleep_until_stopped(source.get_token(), std::chrono::hours(10'000))));
}

TEST(SleepFor, WakesWhenAnotherThreadStopsIt) {
  for (int round = 0; round < 100; ++round) {
    std::stop_source source;
    std::jthread stopper([&] { source.request_stop(); });

    EXPECT_FALSE(sync_wait(sleep_until_stopped(source.get_token(), std::chrono::hours(10'000))));
  }
}

TEST(SleepFor, EndsOnceWhenTimeAndStopMeet) {
  for (int round = 0; round < 200; ++round) {
    std::stop_source source;
    std::latch both(2);
    std::jthread stopper([&] {
      both.arrive_and_wait();
      source.request_stop();
    });
    both.arrive_and_wait();
    sync_wait(sleep_until_stopped(source.get_token(), 20us));
  }
}

Task<> note(bool& done, std::stop_token stop) {
  co_await sleep_for(std::chrono::hours(10'000), stop);
  done = true;
}

TEST(SleepFor, StopFromTheSameLoopWakesToo) {
  EventLoop loop;
  std::stop_source source;
  bool done = false;
  spawn(loop, note(done, source.get_token()));
  loop.poll();
  loop.post([&] { source.request_stop(); });

  loop.poll();
  loop.poll();

  EXPECT_TRUE(done);
}

TEST(SleepFor, DestroyedSleeperIsNotWoken) {
  EventLoop loop;
  std::stop_source source;
  bool done = false;
  std::optional<Task<>> task = note(done, source.get_token());
  loop.post([&] {
    detail::start(
        *task, [](void*) noexcept {}, nullptr);
  });
  loop.poll();

  loop.post([&] {
    source.request_stop();
    task.reset();
  });
  loop.poll();
  loop.poll();

  EXPECT_FALSE(done);
}

TEST(SleepForDeathTest, WithoutALoopStopsTheProgram) {
  Task<Clock::duration> task = measure_sleep(1h);

  EXPECT_DEATH(detail::start(
                   task, [](void*) noexcept {}, nullptr),
               "no EventLoop runs");
}

Task<std::vector<int>> sleep_sort(std::vector<int> values) {
  std::vector<int> order;
  const auto sleep_and_append = [](int value, std::vector<int>& to) -> Task<> {
    co_await sleep_for(std::chrono::milliseconds(value));
    to.push_back(value);
  };
  for (const int value : values)
    spawn(sleep_and_append(value, order));
  while (order.size() < values.size())
    co_await sleep_for(1ms);
  co_return order;
}

TEST(SleepFor, SleepersWakeInTheOrderOfTheirDeadlines) {
  EXPECT_EQ(sync_wait(sleep_sort({8, 2, 5})), (std::vector<int>{2, 5, 8}));
}

Task<bool> readable(int fd, Clock::time_point deadline, std::stop_token stop) {
  const bool is_ready = co_await wait_readable(fd, deadline, stop);
  co_return is_ready;
}

Task<bool> readable_after(const SocketPair& pair) {
  const auto send_later = [](const SocketPair& through) -> Task<> {
    co_await sleep_for(1ms);
    through.send();
  };
  spawn(send_later(pair));
  const bool is_ready = co_await wait_readable(pair.near());
  co_return is_ready;
}

TEST(WaitReadable, IsImmediateWhenThereIsSomething) {
  const SocketPair pair;
  pair.send();

  EXPECT_TRUE(sync_wait(readable(pair.near(), Clock::time_point::max(), {})));
}

TEST(WaitReadable, ResumesWhenSomethingComes) {
  const SocketPair pair;

  EXPECT_TRUE(sync_wait(readable_after(pair)));
}

TEST(WaitReadable, EndsWithTheDeadline) {
  const SocketPair pair;

  EXPECT_FALSE(sync_wait(readable(pair.near(), Clock::now() + 1ms, {})));
}

TEST(WaitReadable, EndsWithTheStop) {
  const SocketPair pair;
  std::stop_source source;
  std::jthread stopper([&] { source.request_stop(); });

  EXPECT_FALSE(sync_wait(readable(pair.near(), Clock::time_point::max(), source.get_token())));
}

TEST(WaitReadable, DescriptorThatCannotBeWaitedForCountsAsReady) {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const SocketPair pair;
  const int closed = ::dup(pair.near());
  ::close(closed);

  EXPECT_TRUE(sync_wait(readable(file.get(), Clock::time_point::max(), {})));
  EXPECT_TRUE(sync_wait(readable(closed, Clock::time_point::max(), {})));
}

Task<int> wait_twice(const SocketPair& pair) {
  int woken = 0;
  const auto wait_and_count = [](int fd, int& count) -> Task<> {
    const bool is_ready = co_await wait_readable(fd);
    count += is_ready ? 1 : 0;
  };
  spawn(wait_and_count(pair.near(), woken));
  spawn(wait_and_count(pair.near(), woken));
  co_await sleep_for(1ms);
  pair.send();
  while (woken < 2)
    co_await sleep_for(1ms);
  co_return woken;
}

TEST(WaitReadable, TwoTasksMayWaitForOneDescriptor) {
  const SocketPair pair;

  EXPECT_EQ(sync_wait(wait_twice(pair)), 2);
}

Task<bool> writable_after_drain(const SocketPair& pair) {
  std::vector<char> block(1 << 16);
  while (::write(pair.near(), block.data(), block.size()) > 0) {
  }
  const auto drain_later = [](const SocketPair& through) -> Task<> {
    co_await sleep_for(1ms);
    std::vector<char> into(1 << 16);
    while (::read(through.far(), into.data(), into.size()) > 0) {
    }
  };
  spawn(drain_later(pair));
  const bool is_ready = co_await wait_writable(pair.near());
  co_return is_ready;
}

TEST(WaitWritable, ResumesWhenThereIsRoom) {
  const SocketPair pair;

  EXPECT_TRUE(sync_wait(writable_after_drain(pair)));
}

Task<long> wait_for_ready_ones(const SocketPair& pair, int rounds) {
  long ready = 0;
  for (int round = 0; round < rounds; ++round) {
    const bool is_ready = co_await wait_readable(pair.near());
    ready += is_ready ? 1 : 0;
  }
  co_return ready;
}

TEST(WaitReadable, HundredThousandReadyWaitsInALoopNeedNoStack) {
  const SocketPair pair;
  pair.send();

  EXPECT_EQ(sync_wait(wait_for_ready_ones(pair, 100'000)), 100'000);
}

// ---- on a loop whose time the test moves --------------------------------------------------------

class WaitOnManualLoop : public testing::Test, protected test::ManualLoop {
 protected:
  static Task<void> sleep(std::chrono::nanoseconds duration, bool& has_slept) {
    co_await sleep_for(duration);
    has_slept = true;
  }
  static Task<void> sleep(std::chrono::nanoseconds duration,
                          std::stop_token stop,
                          bool& has_slept) {
    has_slept = co_await sleep_for(duration, std::move(stop));
  }
};

TEST_F(WaitOnManualLoop, SleepsAreAsLongAsTheLoopSays) {
  bool has_slept = false;
  bool has_slept_undisturbed = false;
  spawn(loop_, sleep(1h, has_slept));
  spawn(loop_, sleep(1h, std::stop_token(), has_slept_undisturbed));
  settle();

  advance(1h - 1ms);
  EXPECT_FALSE(has_slept || has_slept_undisturbed);
  advance(1ms);

  EXPECT_TRUE(has_slept && has_slept_undisturbed);
}

TEST_F(WaitOnManualLoop, ADeadlineHasPassedWhenTheLoopSaysSo) {
  const SocketPair pair;
  bool has_passed = false;
  bool has_passed_early = true;

  loop_.post([&] {
    has_passed = wait_readable(pair.near(), clock_.now()).await_ready();
    has_passed_early = wait_readable(pair.near(), clock_.now() + 1ns).await_ready();
  });
  settle();

  EXPECT_TRUE(has_passed);
  EXPECT_FALSE(has_passed_early);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
