// SPDX-License-Identifier: Apache-2.0
// Canceller: a signal handler has a stop requested.
#include "support/open_descriptors.hpp"
#include "support/rounds.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

namespace nearcall {
namespace {

Canceller* cancelled_by_signal = nullptr;
extern "C" void cancel_by_signal(int /*number*/) {
  cancelled_by_signal->cancel();
}

Task<bool> sleep_until_stopped(std::stop_token stop) {
  co_return co_await sleep_for(std::chrono::hours(1), stop);
}

Task<> tell_whether_it_slept(std::stop_token stop, std::promise<bool>& slept) {
  const bool has_slept = co_await sleep_for(std::chrono::hours(1), stop);
  slept.set_value(has_slept);
}

std::vector<std::unique_ptr<Canceller>> make_some() {
  std::vector<std::unique_ptr<Canceller>> made;
  for (int i = 0; i < 20; ++i)
    made.push_back(std::make_unique<Canceller>());
  return made;
}

TEST(Canceller, RequestsAStopFromASignalHandler) {
  Canceller canceller;
  cancelled_by_signal = &canceller;
  ::signal(SIGUSR1, &cancel_by_signal);
  EXPECT_FALSE(canceller.is_cancelled());

  ::raise(SIGUSR1);
  EXPECT_TRUE(canceller.is_cancelled());
  const bool slept = sync_wait(sleep_until_stopped(canceller.token()));

  EXPECT_FALSE(slept);
  ::signal(SIGUSR1, SIG_DFL);
}

TEST(Canceller, WakesWhoSleepsWithItsToken) {
  Canceller canceller;
  std::thread sleeper(
      [&canceller] { EXPECT_FALSE(sync_wait(sleep_until_stopped(canceller.token()))); });

  canceller.cancel();
  canceller.cancel();

  sleeper.join();
  EXPECT_TRUE(canceller.token().stop_requested());
}

TEST(Canceller, RequestsNothingWhenItGoes) {
  const int rounds = test::rounds(100, 10'000);
  for (int round = 0; round < rounds; ++round) {
    std::stop_token token;
    {
      const Canceller canceller;
      token = canceller.token();
    }
    EXPECT_FALSE(token.stop_requested());
  }
}

TEST(Canceller, KeepsNoThread) {
  const auto threads = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = threads();
  const Canceller canceller;
  EXPECT_EQ(threads(), before);
}

TEST(Canceller, AllShareOneDescriptor) {
  const Canceller first;
  const auto before = test::open_descriptors();
  const std::vector<std::unique_ptr<Canceller>> more = make_some();
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(Canceller, CancelsWhatItsOwnTokenStopsAndNothingElse) {
  Canceller cancelled;
  const Canceller other;
  cancelled.cancel();

  EXPECT_FALSE(sync_wait(sleep_until_stopped(cancelled.token())));
  EXPECT_FALSE(other.token().stop_requested());
}

TEST(Canceller, WakesALoopThatSleptBeforeTheTokenCame) {
  EventLoop loop;
  std::thread runs([&loop] { loop.run(); });
  Canceller canceller;
  std::promise<bool> slept;
  spawn(loop, tell_whether_it_slept(canceller.token(), slept));

  canceller.cancel();

  EXPECT_FALSE(slept.get_future().get());
  loop.stop();
  runs.join();
}

TEST(Canceller, MakesTheDescriptorOfAnEmbeddedLoopReadable) {
  EventLoop loop;
  pollfd watched = {loop.fd(), POLLIN, 0};
  Canceller canceller;
  std::promise<bool> slept;
  spawn(loop, tell_whether_it_slept(canceller.token(), slept));
  while (::poll(&watched, 1, 0) > 0)
    loop.poll();

  canceller.cancel();
  std::future<bool> result = slept.get_future();
  while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    ASSERT_EQ(::poll(&watched, 1, 10'000), 1);
    loop.poll();
  }

  EXPECT_FALSE(result.get());
}

TEST(Canceller, OfTheParentCancelsNothingInAForkedChild) {
  Canceller canceller;
  const pid_t child = ::fork();
  if (child == 0) {
    canceller.cancel();
    Canceller own;
    const bool is_parents_left_alone = !canceller.token().stop_requested();
    own.cancel();
    const bool slept = sync_wait(sleep_until_stopped(own.token()));
    ::_exit(is_parents_left_alone && !slept ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);

  EXPECT_FALSE(canceller.is_cancelled());
  canceller.cancel();
  EXPECT_FALSE(sync_wait(sleep_until_stopped(canceller.token())));
}

TEST(Canceller, ManyThreadsThatWaitAllWake) {
  Canceller canceller;
  std::vector<std::jthread> sleepers;
  for (int i = 0; i < 16; ++i) {
    sleepers.emplace_back(
        [&canceller] { EXPECT_FALSE(sync_wait(sleep_until_stopped(canceller.token()))); });
  }
  canceller.cancel();
}

}  // namespace
}  // namespace nearcall
