// SPDX-License-Identifier: Apache-2.0
// What a loop does when the system has no descriptors for it, or only those of standard streams.
#include "async/loop_core.hpp"
#include "base/unique_fd.hpp"
#include "support/child_process.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/signals.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <optional>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;

/// Lets this process have no descriptor more than it has, but for `spare`.
class DescriptorShortage {
 public:
  explicit DescriptorShortage(int spare = 0) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const UniqueFd next(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next.get() + spare);
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &now), 0);
  }
  DescriptorShortage(const DescriptorShortage&) = delete;
  DescriptorShortage& operator=(const DescriptorShortage&) = delete;
  ~DescriptorShortage() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST(DescriptorShortage, OpenSaysWhichLimitItIsAndSucceedsLater) {
  EventLoop loop;
  for (int spare = 0; spare < 3; ++spare) {
    const DescriptorShortage shortage(spare);

    const Result<void> opened = loop.open();

    ASSERT_FALSE(opened) << spare;
    EXPECT_EQ(opened.error().code(), StatusCode::resource_exhausted);
    EXPECT_EQ(opened.error().reason(), StatusReason::system_limit);
    EXPECT_EQ(loop.fd(), -1);
  }

  EXPECT_TRUE(loop.open());
  EXPECT_GE(loop.fd(), 3);
}

TEST(DescriptorShortage, ALoopWithoutDescriptorsStillRunsTimersAndWorkOfOtherThreads) {
  const DescriptorShortage shortage;
  EventLoop loop;
  int steps = 0;
  const auto count = [](int& done, EventLoop& here) -> Task<> {
    co_await sleep_for(1ms);
    ++done;
    here.stop();
  };
  spawn(loop, count(steps, loop));
  loop.run();
  EXPECT_EQ(steps, 1);

  loop.post([&] { ++steps; });
  loop.poll();
  EXPECT_EQ(steps, 2);
}

Task<bool> read_when_ready(int fd) {
  const bool is_ready = co_await wait_readable(fd, std::chrono::steady_clock::now() + 10s);
  co_return is_ready;
}

TEST(DescriptorShortage, AWaitForADescriptorEndsWhenItIsReadyAllTheSame) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  const DescriptorShortage shortage;
  EventLoop loop;
  std::optional<bool> was_ready;
  const auto wait = [](int fd, std::optional<bool>& result, EventLoop& here) -> Task<> {
    result = co_await read_when_ready(fd);
    here.stop();
  };
  spawn(loop, wait(read_end.get(), was_ready, loop));
  loop.poll();
  EXPECT_FALSE(was_ready) << "a shortage alone is not readiness";

  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  loop.run();

  EXPECT_EQ(was_ready, true);
}

TEST(DescriptorShortage, AWaitIsRegisteredOnceThereAreDescriptorsAgain) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  EventLoop loop;
  std::optional<bool> was_ready;
  const auto wait = [](int fd, std::optional<bool>& result) -> Task<> {
    result = co_await read_when_ready(fd);
  };
  {
    const DescriptorShortage shortage;
    spawn(loop, wait(read_end.get(), was_ready));
    loop.poll();
  }
  pollfd look{loop.fd(), POLLIN, 0};
  while (::poll(&look, 1, 100) == 1)  // until nobody looks every 10 ms any more
    loop.poll();
  EXPECT_FALSE(was_ready);

  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  ASSERT_EQ(::poll(&look, 1, 10'000), 1);
  loop.poll();

  EXPECT_EQ(was_ready, true);
}

TEST(DescriptorShortage, NoDescriptorOfOursTakesThePlaceOfAStandardStream) {
  test::ChildProcess child([] {
    for (int fd = 0; fd < 3; ++fd)
      ::close(fd);
    EventLoop loop;
    if (!loop.open() || loop.fd() < 3) return 1;
    const SignalSet signals(SIGUSR1);
    const Canceller canceller;
    for (int fd = 0; fd < 3; ++fd) {
      if (::fcntl(fd, F_GETFD) >= 0) return 2;
    }
    return 0;
  });

  EXPECT_EQ(child.wait(), 0);
}

TEST(EventLoopDeathTest, ALoopThatGoesBeforeWhatWaitsOnItStopsTheProgram) {
  struct Watcher final : detail::FdWatcher {
    void on_fd_events(std::uint32_t /*epoll_events*/) override {}
  } watcher;
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const UniqueFd kept(ends[0]);
  const UniqueFd written(ends[1]);

  EXPECT_DEATH(
      {
        EventLoop loop;
        static_cast<void>(Access::core(loop).add(kept.get(), EPOLLIN, watcher));
      },
      "destroyed before a server, a connection or a task");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
