// SPDX-License-Identifier: Apache-2.0
// Canceller: a signal handler has a stop requested.
#include "support/rounds.hpp"

#include <nearcall/canceller.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <stop_token>
#include <thread>

namespace nearcall {
namespace {

Canceller* cancelled_by_signal = nullptr;
extern "C" void cancel_by_signal(int /*number*/) {
  cancelled_by_signal->cancel();
}

Task<bool> sleep_until_stopped(std::stop_token stop) {
  co_return co_await sleep_for(std::chrono::hours(1), stop);
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

TEST(Canceller, ItsThreadTakesNoSignals) {
  const Canceller canceller;
  sigset_t usual{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &usual);
  EXPECT_EQ(sigismember(&usual, SIGUSR1), 0) << "this one's mask is as before";

  // Blocked here too, a signal that anybody else could take would be taken, and end the program.
  sigset_t blocked{};
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  ::kill(::getpid(), SIGUSR1);
  int number = 0;
  ::sigwait(&blocked, &number);
  ::pthread_sigmask(SIG_SETMASK, &usual, nullptr);

  EXPECT_EQ(number, SIGUSR1);
}

}  // namespace
}  // namespace nearcall
