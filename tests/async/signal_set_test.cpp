// SPDX-License-Identifier: Apache-2.0
// SignalSet and wait_signal(): signals reach who waits for them, and do as before afterwards.
#include "support/child_process.hpp"
#include "support/rounds.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/signals.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/wait.hpp>
#include <nearcall/when.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

namespace nearcall {
namespace {

std::atomic<int> signals_of_no_set{0};
extern "C" void count_signal_of_no_set(int /*number*/) {
  ++signals_of_no_set;
}

class SignalSetTest : public testing::Test {
 protected:
  SignalSetTest() {
    signals_of_no_set = 0;
    for (const int number : {SIGUSR1, SIGUSR2})
      ::signal(number, &count_signal_of_no_set);
  }
  ~SignalSetTest() override {
    for (const int number : {SIGUSR1, SIGUSR2})
      ::signal(number, SIG_DFL);
  }
};

TEST_F(SignalSetTest, GivesTheSignalsThatCameBeforeAnybodyWaited) {
  SignalSet signals(SIGUSR1, SIGUSR2);
  ::raise(SIGUSR2);
  ::raise(SIGUSR1);

  EXPECT_EQ(sync_wait(signals.wait()), SIGUSR1);
  EXPECT_EQ(sync_wait(signals.wait()), SIGUSR2);
  EXPECT_EQ(signals_of_no_set, 0);
}

TEST_F(SignalSetTest, ASignalFromAnotherProcessWakesTheLoop) {
  SignalSet signals(SIGUSR1);
  test::ChildProcess sender([parent = ::getpid()] { return ::kill(parent, SIGUSR1); });

  EXPECT_EQ(sync_wait(signals.wait()), SIGUSR1);
  EXPECT_EQ(sender.wait(), 0);
}

TEST_F(SignalSetTest, EachSetThatNamesASignalGetsIt) {
  SignalSet first(SIGUSR1);
  SignalSet second(SIGUSR1, SIGUSR2);

  ::raise(SIGUSR1);

  EXPECT_EQ(sync_wait(first.wait()), SIGUSR1);
  EXPECT_EQ(sync_wait(second.wait()), SIGUSR1);
}

TEST_F(SignalSetTest, WhenTheLastSetHasGoneTheSignalDoesWhatItDidBefore) {
  std::optional<SignalSet> first(std::in_place, SIGUSR1);
  { const SignalSet second(SIGUSR1); }
  ::raise(SIGUSR1);
  EXPECT_EQ(sync_wait(first->wait()), SIGUSR1);
  EXPECT_EQ(signals_of_no_set, 0);

  first.reset();
  ::raise(SIGUSR1);

  EXPECT_EQ(signals_of_no_set, 1);
}

TEST_F(SignalSetTest, ASignalThatNobodyWaitedForIsRaisedAgain) {
  {
    const SignalSet signals(SIGUSR1);
    ::raise(SIGUSR1);
    EXPECT_EQ(signals_of_no_set, 0);
  }

  EXPECT_EQ(signals_of_no_set, 1);
}

TEST_F(SignalSetTest, AHandlerThatTheProgramSetMeanwhileStays) {
  {
    const SignalSet signals(SIGUSR1);
    ::signal(SIGUSR1, SIG_IGN);
  }

  ::raise(SIGUSR1);  // would be counted, or end the program

  EXPECT_EQ(signals_of_no_set, 0);
}

TEST_F(SignalSetTest, AForkedChildDiesOfItAsEver) {
  const SignalSet signals(SIGTERM);
  test::ChildProcess child([] {
    ::raise(SIGTERM);
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGTERM);
}

TEST_F(SignalSetTest, AForkedChildHasSetsOfItsOwn) {
  {
    const SignalSet used(SIGUSR1);  // leaves something to be used again
  }
  test::ChildProcess child([] {
    SignalSet signals(SIGUSR2);
    ::raise(SIGUSR2);
    return sync_wait(signals.wait()) == SIGUSR2 ? 0 : 1;
  });

  EXPECT_EQ(child.wait(), 0);
}

Task<> raise_later(int number) {
  co_await sleep_for(std::chrono::microseconds(100));
  ::raise(number);
}

TEST_F(SignalSetTest, WaitSignalTakesSignalsWhileItIsAwaited) {
  const auto run = []() -> Task<int> {
    spawn(raise_later(SIGUSR2));
    co_return co_await wait_signal(SIGUSR1, SIGUSR2);
  };

  EXPECT_EQ(sync_wait(run()), SIGUSR2);
  ::raise(SIGUSR2);

  EXPECT_EQ(signals_of_no_set, 1);
}

TEST_F(SignalSetTest, AWaitThatIsCancelledTakesNoMoreSignals) {
  const auto run = []() -> Task<std::size_t> {
    const auto first =
        co_await when_any(wait_signal(SIGUSR1), raise_later(SIGUSR2), wait_signal(SIGUSR1));
    co_return first.index();
  };

  EXPECT_EQ(sync_wait(run()), 1U);
  EXPECT_EQ(signals_of_no_set, 1);
  ::raise(SIGUSR1);

  EXPECT_EQ(signals_of_no_set, 2);
}

TEST_F(SignalSetTest, SetsComeAndGoOnSeveralThreadsWhileSignalsCome) {
  const int rounds = test::rounds(200, 20'000);
  std::atomic<bool> is_done = false;
  std::vector<std::thread> threads;
  for (int index = 0; index < 2; ++index) {
    threads.emplace_back([rounds] {
      for (int round = 0; round < rounds; ++round) {
        SignalSet signals(SIGUSR1);
        EXPECT_EQ(sync_wait(signals.wait()), SIGUSR1);
      }
    });
  }
  std::thread sender([&is_done] {
    while (!is_done) {
      ::kill(::getpid(), SIGUSR1);
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads)
    thread.join();
  is_done = true;
  sender.join();
}

TEST(SignalSetDeathTest, TakesOnlySignalsThatCanBeHandled) {
  EXPECT_DEATH(SignalSet(SIGKILL), "cannot be handled");
  EXPECT_DEATH(SignalSet(0), "there is no such signal");
}

}  // namespace
}  // namespace nearcall
