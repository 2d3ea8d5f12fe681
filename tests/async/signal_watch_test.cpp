// SPDX-License-Identifier: Apache-2.0
// SignalWatch: SIGINT and SIGTERM reach the loop, and what was there before is left alone.
#include "async/signal_watch.hpp"

#include "support/child_process.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/signals.hpp>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <optional>

namespace nearcall::inline v0::detail {
namespace {

using Handler = void (*)(int);

Handler handler_of(int signal) {
  struct sigaction now {};
  EXPECT_EQ(::sigaction(signal, nullptr, &now), 0);
  return now.sa_handler;
}

/// Sets what a signal does, and puts it back in the end.
class ScopedHandler {
 public:
  ScopedHandler(int signal, Handler handler) : signal_(signal) {
    struct sigaction ours {};
    ours.sa_handler = handler;
    EXPECT_EQ(::sigaction(signal, &ours, &before_), 0);
  }
  ScopedHandler(const ScopedHandler&) = delete;
  ScopedHandler& operator=(const ScopedHandler&) = delete;
  ~ScopedHandler() { ::sigaction(signal_, &before_, nullptr); }

 private:
  int signal_;
  struct sigaction before_ {};
};

volatile sig_atomic_t signals_of_the_program = 0;
void count_signal(int /*number*/) {
  signals_of_the_program = signals_of_the_program + 1;
}

class SignalWatchTest : public testing::Test {
 protected:
  ScopedHandler default_interrupt_{SIGINT, SIG_DFL};
  ScopedHandler default_terminate_{SIGTERM, SIG_DFL};
  EventLoop loop_;
  int calls_ = 0;
};

TEST_F(SignalWatchTest, EitherSignalIsAnEventOfTheLoop) {
  SignalWatch watch;
  watch.attach(Access::core(loop_), [this] { ++calls_; });
  for (const int signal : {SIGINT, SIGTERM}) {
    calls_ = 0;

    ::raise(signal);
    EXPECT_EQ(calls_, 0) << "not before the loop turns";
    loop_.poll();

    EXPECT_EQ(calls_, 1) << signal;
  }
}

TEST_F(SignalWatchTest, ASignalWakesALoopThatSleeps) {
  SignalWatch watch;
  watch.attach(Access::core(loop_), [this] {
    ++calls_;
    loop_.stop();
  });
  test::ChildProcess killer([parent = ::getpid()] { return ::kill(parent, SIGTERM); });

  loop_.run();

  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(killer.wait(), 0);
}

TEST_F(SignalWatchTest, ASignalThatCameFirstWaitsForWhoeverAttaches) {
  SignalWatch watch;
  ::raise(SIGTERM);

  watch.attach(Access::core(loop_), [this] { ++calls_; });
  EXPECT_EQ(calls_, 0);
  loop_.poll();

  EXPECT_EQ(calls_, 1);
}

TEST_F(SignalWatchTest, ASignalThatNobodyAttachedForIsRaisedAgain) {
  test::ChildProcess child([] {
    std::optional<SignalWatch> watch(std::in_place);
    ::raise(SIGINT);
    watch.reset();
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGINT);
}

TEST_F(SignalWatchTest, ASecondSignalBeforeAnybodyAttachedEndsTheProgram) {
  test::ChildProcess child([] {
    const SignalWatch watch;
    ::raise(SIGTERM);
    ::raise(SIGTERM);
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGTERM);
}

TEST_F(SignalWatchTest, ASignalAfterItHasGoneEndsTheProgram) {
  test::ChildProcess child([] {
    EventLoop loop;
    {
      SignalWatch watch;
      watch.attach(Access::core(loop), [] {});
      ::raise(SIGTERM);
      loop.poll();
    }
    ::raise(SIGTERM);
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGTERM);
}

TEST_F(SignalWatchTest, ASignalEndsTheProgramWhenASetOutlivedIt) {
  test::ChildProcess child([] {
    std::optional<SignalWatch> watch(std::in_place);
    std::optional<SignalSet> set(std::in_place, SIGINT);
    watch.reset();
    set.reset();
    ::raise(SIGINT);
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGINT);
}

TEST_F(SignalWatchTest, TheNextOneGetsTheSignalsWhenASetOutlivedTheLast) {
  std::optional<SignalWatch> last(std::in_place);
  std::optional<SignalSet> set(std::in_place, SIGINT);
  last.reset();
  set.reset();
  {
    SignalWatch next;
    next.attach(Access::core(loop_), [this] { ++calls_; });
    ::raise(SIGINT);
    loop_.poll();
  }

  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
}

TEST_F(SignalWatchTest, AProcessThatWasForkedFromItIsNotWatched) {
  SignalWatch watch;
  watch.attach(Access::core(loop_), [this] { ++calls_; });

  test::ChildProcess child([] {
    ::raise(SIGTERM);
    return 0;
  });

  EXPECT_EQ(child.wait(), 128 + SIGTERM);
  loop_.poll();
  EXPECT_EQ(calls_, 0);
}

TEST_F(SignalWatchTest, AHandlerThatTheProgramSetMeanwhileStays) {
  {
    SignalWatch watch;
    watch.attach(Access::core(loop_), [] {});
    ::signal(SIGTERM, &count_signal);
  }

  EXPECT_EQ(handler_of(SIGTERM), &count_signal);
}

TEST_F(SignalWatchTest, PutsTheDefaultBackWhenItGoes) {
  {
    const SignalWatch watch;
    EXPECT_NE(handler_of(SIGINT), SIG_DFL);
    EXPECT_NE(handler_of(SIGTERM), SIG_DFL);
  }

  EXPECT_EQ(handler_of(SIGINT), SIG_DFL);
  EXPECT_EQ(handler_of(SIGTERM), SIG_DFL);
}

TEST_F(SignalWatchTest, ASignalThatTheProgramHandlesIsLeftToIt) {
  const ScopedHandler own(SIGTERM, &count_signal);
  SignalWatch watch;
  watch.attach(Access::core(loop_), [this] { ++calls_; });
  signals_of_the_program = 0;

  ::raise(SIGTERM);
  loop_.poll();

  EXPECT_EQ(signals_of_the_program, 1);
  EXPECT_EQ(calls_, 0);
}

TEST_F(SignalWatchTest, ASignalThatTheProgramIgnoresStaysIgnored) {
  const ScopedHandler own(SIGINT, SIG_IGN);
  SignalWatch watch;
  watch.attach(Access::core(loop_), [this] { ++calls_; });

  ::raise(SIGINT);
  loop_.poll();

  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(handler_of(SIGINT), SIG_IGN);
}

TEST_F(SignalWatchTest, ASecondOneWatchesNothingUntilTheFirstIsGone) {
  int second_calls = 0;
  std::optional<SignalWatch> first(std::in_place);
  first->attach(Access::core(loop_), [this] { ++calls_; });
  {
    SignalWatch second;
    second.attach(Access::core(loop_), [&] { ++second_calls; });
    ::raise(SIGTERM);
    loop_.poll();
    EXPECT_EQ(calls_, 1);
    EXPECT_EQ(second_calls, 0);
  }
  EXPECT_NE(handler_of(SIGTERM), SIG_DFL) << "the second one's end takes nothing from the first";

  first.reset();
  SignalWatch third;
  third.attach(Access::core(loop_), [&] { ++second_calls; });
  ::raise(SIGTERM);
  loop_.poll();

  EXPECT_EQ(second_calls, 1);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
