// SPDX-License-Identifier: Apache-2.0
// LoopCore: the order of a turn, descriptors, hooks, spinning, and fairness.
#include "async/loop_core.hpp"

#include "async/loop_core_fixture.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/log.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST_F(LoopCoreTest, TurnIsPostedThenTimersThenDescriptorsThenReadyThenHooks) {
  CallHook hook([&] { events_.emplace_back("hook"); });
  CallRunnable ready([&] { events_.emplace_back("ready"); });
  CallWatcher watcher(core_, [&] {
    events_.emplace_back("descriptor");
    core_.schedule(ready);
    core_.request_turn_end(hook);
    core_.request_turn_end(hook);
  });
  Timer timer(
      core_,
      [](void* events) noexcept {
        static_cast<std::vector<std::string>*>(events)->emplace_back("timer");
      },
      &events_);
  timer.set(core_.now());
  loop_.post([&] { events_.emplace_back("posted"); });

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("posted", "timer", "descriptor", "ready", "hook"));
}

TEST_F(LoopCoreTest, ToldWatcherIsCalledWithoutTheKernelAndBeforeTheLoopSleeps) {
  CallWatcher watcher(core_, [&] {
    events_.emplace_back("descriptor");
    if (events_.size() == 2) {
      EXPECT_TRUE(core_.tell(watcher.fd()));
      EXPECT_FALSE(core_.tell(watcher.fd() + 1)) << "nobody watches that";
    }
    if (events_.size() == 3) loop_.stop();
  });
  loop_.poll();  // takes the edge that it begins with
  loop_.post([&] { core_.tell(watcher.fd()); });

  loop_.run();

  EXPECT_THAT(events_, ElementsAre("descriptor", "descriptor", "descriptor"));
}

TEST_F(LoopCoreTest, LooksAtNoClockBetweenWhatItsOwnEndsTellEachOther) {
  struct Looks {
    mutable int count = 0;
  };
  const Looks looks;
  const auto counted = [](const void* at) noexcept {
    ++static_cast<const Looks*>(at)->count;
    return TimePoint(1h);
  };
  core_.set_clocks(
      {Clock(counted, &looks), Clock([](const void*) noexcept { return TimePoint(1h); }, nullptr)});
  std::vector<int> looks_when_told;
  CallWatcher watcher(core_, [&] {
    looks_when_told.push_back(looks.count);
    if (looks_when_told.size() < 8) {
      core_.tell(watcher.fd());
    } else {
      loop_.stop();
    }
  });

  loop_.run();

  EXPECT_EQ(looks_when_told.back(), looks_when_told.front());
}

TEST_F(LoopCoreTest, ADialogueInMemoryGivesWayToWhoeverWaits) {
  int told = 0;
  int next_turn_at = 0;
  int posted_at = 0;
  int timer_at = 0;
  CallRunnable in_next_turn([&] { next_turn_at = told; });
  std::function<void()> on_timer = [&] { timer_at = told; };
  Timer timer(
      core_, [](void* call) noexcept { (*static_cast<std::function<void()>*>(call))(); },
      &on_timer);
  CallWatcher watcher(core_, [&] {
    core_.tell(watcher.fd());
    ++told;
    if (told == 5) core_.schedule_next_turn(in_next_turn);
    if (told == 40) loop_.post([&] { posted_at = told; });
    if (told == 80) timer.set(core_.now());
    if (told == 200) loop_.stop();
  });

  loop_.run();

  EXPECT_LE(next_turn_at, 5 + 1);
  EXPECT_LE(posted_at, 40 + 1);
  EXPECT_GE(timer_at, 80);
  EXPECT_LE(timer_at, 80 + 16);
}

TEST_F(LoopCoreTest, DescriptorOfTheLoopShowsThatAWatcherIsStillToBeTold) {
  int rounds = 100;
  CallWatcher watcher(core_, [&] {
    if (--rounds > 0) core_.tell(watcher.fd());
  });

  while (is_readable())
    loop_.poll();

  EXPECT_EQ(rounds, 0);
}

TEST_F(LoopCoreTest, HookSchedulesMoreAndTheLoopGoesRoundBeforeItSleeps) {
  CallRunnable ready([&] {
    events_.emplace_back("ready");
    loop_.stop();
  });
  CallHook hook([&] {
    events_.emplace_back("hook");
    core_.schedule(ready);
  });
  loop_.post([&] { core_.request_turn_end(hook); });

  loop_.run();

  EXPECT_THAT(events_, ElementsAre("hook", "ready"));
}

TEST_F(LoopCoreTest, RemovedWatcherIsNotCalledForTheBatchThatIsBeingDispatched) {
  std::unique_ptr<CallWatcher> first;
  std::unique_ptr<CallWatcher> second;
  first = std::make_unique<CallWatcher>(core_, [&] {
    events_.emplace_back("one");
    second.reset();
  });
  second = std::make_unique<CallWatcher>(core_, [&] {
    events_.emplace_back("one");
    first.reset();
  });

  loop_.poll();
  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("one"));
}

TEST_F(LoopCoreTest, WatcherMayRemoveItself) {
  std::unique_ptr<CallWatcher> watcher;
  watcher = std::make_unique<CallWatcher>(
      core_,
      [&] {
        events_.emplace_back("called");
        watcher->remove();
      },
      EPOLLIN);

  loop_.poll();
  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("called"));
}

TEST_F(LoopCoreTest, ModifiedWatcherIsCalledForItsNewEvents) {
  CallWatcher watcher(
      core_, [&] { events_.emplace_back("called"); }, 0);
  loop_.poll();
  EXPECT_THAT(events_, ElementsAre());

  EXPECT_FALSE(core_.modify(watcher.fd(), EPOLLIN | EPOLLET, watcher));
  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("called"));
}

TEST_F(LoopCoreTest, AddingAClosedDescriptorIsAnError) {
  CallWatcher watcher(core_, [] {});

  EXPECT_EQ(core_.add(-1, EPOLLIN, watcher), std::errc::bad_file_descriptor);
}

TEST_F(LoopCoreTest, ScheduledWorkLeavesWhenItIsDestroyed) {
  {
    CallRunnable gone([&] { events_.emplace_back("gone"); });
    core_.schedule(gone);
  }
  CallRunnable stays([&] { events_.emplace_back("stays"); });
  core_.schedule(stays);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("stays"));
}

TEST_F(LoopCoreTest, WhatWasPostedGoesOnInTheNextTurnWhereItHasHadItsShare) {
  int runs = 0;
  for (int i = 0; i < 3; ++i) {
    loop_.post([&] {
      ++runs;
      core_.budget().spend(TurnBudget::share);
    });
  }

  loop_.poll();
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(is_readable()) << "a loop around this one is told";
  loop_.poll();
  loop_.poll();

  EXPECT_EQ(runs, 3);
}

TEST_F(LoopCoreTest, CancelledPostNeverRuns) {
  CallRunnable work([&] { events_.emplace_back("ran"); });
  core_.post(work);
  core_.cancel_posted(work);

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre());
}

/// Gives the handle of whoever awaits it to the loop.
class Reschedule {
 public:
  explicit Reschedule(LoopCore& core) : core_(&core) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) { core_->schedule(waiting); }
  void await_resume() const noexcept {}

 private:
  LoopCore* core_;
};

Task<> reschedule(LoopCore& core, int rounds, int& count) {
  for (int round = 0; round < rounds; ++round) {
    co_await Reschedule(core);
    ++count;
  }
}

TEST_F(LoopCoreTest, CoroutineThatReschedulesItselfDoesNotStarveTheRest) {
  int count = 0;
  spawn(loop_, reschedule(core_, 1'000'000, count));
  loop_.poll();
  loop_.post([&] { events_.emplace_back("posted"); });

  loop_.poll();

  EXPECT_THAT(events_, ElementsAre("posted"));
  EXPECT_GT(count, 0);
  EXPECT_LT(count, 1'000'000);
  EXPECT_TRUE(is_readable());
}

TEST_F(LoopCoreTest, WorkFromOutsideOfATurnMakesTheDescriptorReadable) {
  CallRunnable ready([] {});
  CallHook hook([] {});
  Timer timer(
      core_, [](void*) noexcept {}, nullptr);
  EXPECT_FALSE(is_readable());

  core_.schedule(ready);
  EXPECT_TRUE(is_readable());
  loop_.poll();
  EXPECT_FALSE(is_readable());

  core_.request_turn_end(hook);
  EXPECT_TRUE(is_readable());
  loop_.poll();
  EXPECT_FALSE(is_readable());

  timer.set(core_.now());
  EXPECT_TRUE(is_readable());
  loop_.poll();
  EXPECT_FALSE(timer.is_set());
  EXPECT_FALSE(is_readable());
}

TEST_F(LoopCoreTest, TimerMayMoveItselfAndClearAnother) {
  Timer other(
      core_, [](void*) noexcept { ADD_FAILURE() << "it was cleared"; }, nullptr);
  struct Context {
    Timer* self;
    Timer* other;
    int fired;
  } context{nullptr, &other, 0};
  Timer timer(
      core_,
      [](void* argument) noexcept {
        auto& in = *static_cast<Context*>(argument);
        in.other->clear();
        if (++in.fired < 3) in.self->set(TimePoint(1ns));
      },
      &context);
  context.self = &timer;
  timer.set(TimePoint(1ns));
  other.set(TimePoint(2ns));

  loop_.poll();

  EXPECT_EQ(context.fired, 3);
}

/// A connection of the kind that cannot be waited for in epoll alone: its descriptor is signalled
/// only after prepare_park() has announced that somebody sleeps.
class RingSource final : public SpinSource, public FdWatcher {
 public:
  RingSource(LoopCore& core, int target)
      : core_(&core), target_(target), doorbell_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    EXPECT_FALSE(core_->add(doorbell_.get(), EPOLLIN | EPOLLET, *this));
    announced_.store(true);
  }
  ~RingSource() override { core_->remove(doorbell_.get(), *this); }

  /// From another thread.
  void put() {
    written_.fetch_add(1);
    if (announced_.exchange(false)) {
      const std::uint64_t one = 1;
      EXPECT_EQ(::write(doorbell_.get(), &one, sizeof one), 8);
    }
  }
  int taken() const { return taken_; }
  int written() const { return written_.load(); }
  int parks() const { return parks_; }

  bool spin_once() override {
    const int written = written_.load();
    if (written == taken_) return false;
    taken_ = written;
    if (taken_ == target_) core_->stop();
    return true;
  }
  bool prepare_park() override {
    ++parks_;
    announced_.store(true);
    return written_.load() == taken_;
  }
  void on_fd_events(std::uint32_t /*epoll_events*/) override {
    spin_once();
    if (!core_->mark_hot(*this)) ADD_FAILURE();
  }

 private:
  LoopCore* core_;
  const int target_;
  UniqueFd doorbell_;
  std::atomic<int> written_{0};
  std::atomic<bool> announced_{false};
  int taken_ = 0;
  int parks_ = 0;
};

void run_ring(SpinPolicy policy) {
  constexpr int target = 2000;
  EventLoop loop(policy);
  RingSource source(Access::core(loop), target);
  std::jthread writer([&] {
    for (int count = 0; count < target; ++count) {
      source.put();
      if (count % 100 == 0) std::this_thread::yield();
    }
  });

  loop.run();

  EXPECT_EQ(source.taken(), target);
}

TEST(LoopCoreSpin, NoNewsIsMissedBetweenSpinningAndSleeping) {
  for (int round = 0; round < 20; ++round) {
    run_ring(SpinPolicy::adaptive());
    run_ring(SpinPolicy::adaptive(1us));
    run_ring(SpinPolicy::off());
  }
}

TEST(LoopCoreSpin, HotSourceIsParkedWhenTheLoopLeavesAndTheDescriptorTellsOfIt) {
  EventLoop loop;
  RingSource source(Access::core(loop), 1000);
  source.put();
  loop.poll();
  ASSERT_EQ(source.taken(), 1);
  EXPECT_FALSE(source.is_hot());
  EXPECT_EQ(source.parks(), 1);
  pollfd look{loop.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&look, 1, 0), 0);

  source.put();

  EXPECT_EQ(::poll(&look, 1, 0), 1);
  loop.poll();
  EXPECT_EQ(source.taken(), 2);
}

class ThreadTime {
 public:
  static std::chrono::nanoseconds now() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
};

TEST(LoopCoreSpin, IdleLoopBurnsNoProcessorTime) {
  EventLoop loop;
  RingSource source(Access::core(loop), 1000);
  source.put();
  Timer timer(
      Access::core(loop), [](void* target) noexcept { static_cast<EventLoop*>(target)->stop(); },
      &loop);
  timer.set(SteadyClock::now() + 100ms);
  const auto before = ThreadTime::now();

  loop.run();

  EXPECT_LT(ThreadTime::now() - before, 30ms);
  EXPECT_FALSE(source.is_hot());
}

// ---- fairness -----------------------------------------------------------------------------------

TEST_F(LoopCoreTest, WorkForTheNextTurnComesAfterTheEventsOfThatTurn) {
  std::vector<std::string> order;
  std::unique_ptr<CallWatcher> watcher;
  CallRunnable again([&] { order.emplace_back("again"); });
  CallRunnable first([&] {
    order.emplace_back("first");
    core_.schedule_next_turn(again);
    watcher = std::make_unique<CallWatcher>(core_, [&] { order.emplace_back("event"); });
  });
  core_.schedule(first);

  loop_.poll();
  EXPECT_THAT(order, ElementsAre("first"));
  EXPECT_TRUE(is_readable()) << "a loop around this one is told";
  loop_.poll();

  EXPECT_THAT(order, ElementsAre("first", "event", "again"));
}

TEST_F(LoopCoreTest, WorkForTheNextTurnLeavesWhenItIsDestroyed) {
  int calls = 0;
  {
    CallRunnable gone([&] { ++calls; });
    core_.schedule_next_turn(gone);
  }

  loop_.poll();

  EXPECT_EQ(calls, 0);
}

TEST_F(LoopCoreTest, WorkForTheNextTurnRunsThoughEventsUseUpAllOfIt) {
  const CallWatcher greedy(
      core_, [&] { core_.budget().spend(TurnBudget::whole); }, /*events=*/EPOLLIN);
  std::vector<std::string> order;
  const auto note = [&](const char* name) {
    order.emplace_back(name);
    EXPECT_FALSE(core_.budget().is_spent()) << "or it would wait again";
  };
  CallRunnable first([&] { note("first"); });
  CallRunnable second([&] { note("second"); });
  core_.schedule_next_turn(first);
  core_.schedule_next_turn(second);

  loop_.poll();
  EXPECT_THAT(order, ElementsAre("first")) << "one a turn";
  loop_.poll();

  EXPECT_THAT(order, ElementsAre("first", "second"));
}

TEST_F(LoopCoreTest, AHotSourceIsPolledHoweverBusyTheLoopIs) {
  class Source final : public SpinSource {
   public:
    bool spin_once() override {
      ++polls;
      return false;
    }
    bool prepare_park() override { return false; }
    int polls = 0;
  };
  Source source;
  int rounds = 0;
  std::function<void()> go_on;
  CallRunnable work([&] { go_on(); });
  CallRunnable start([&] {
    EXPECT_TRUE(core_.mark_hot(source));
    core_.schedule_next_turn(work);
  });
  go_on = [&] {
    if (source.polls > 0 || ++rounds == 1000) return loop_.stop();
    core_.schedule_next_turn(work);
  };
  core_.schedule(start);

  loop_.run();

  EXPECT_EQ(rounds, 0) << "the loop is never idle, and looks at it before it goes on";
}

TEST_F(LoopCoreTest, WhatIsReadyGoesOnInTheNextTurnWhereItHasHadItsShare) {
  int runs = 0;
  std::deque<CallRunnable> work;
  for (int i = 0; i < 10; ++i) {
    work.emplace_back([&] {
      ++runs;
      core_.budget().spend(TurnBudget::whole);
    });
  }
  std::vector<int> of_turns;
  CallHook hook([&] { of_turns.push_back(runs); });
  for (CallRunnable& one : work)
    core_.schedule(one);
  core_.request_turn_end(hook);
  CallRunnable stop([&] { loop_.stop(); });
  core_.schedule(stop);

  loop_.run();

  EXPECT_EQ(runs, 10);
  ASSERT_FALSE(of_turns.empty());
  EXPECT_EQ(of_turns.front(), 1);
}

TEST_F(LoopCoreTest, ADescriptorIsLookedAtHoweverMuchAHotSourceBrings) {
  static TimePoint time;
  time = TimePoint(24h);
  const Clock clock([](const void*) noexcept { return time; }, nullptr);
  core_.set_clocks({clock, clock});
  class Source final : public SpinSource {
   public:
    bool spin_once() override {
      time += 50us;
      on_poll(++polls);
      return true;
    }
    bool prepare_park() override { return false; }
    int polls = 0;
    std::function<void(int)> on_poll;
  };
  Source source;
  int told_at = 0;
  const CallWatcher watcher(core_, [&] { told_at = source.polls; });
  constexpr int news = 10;
  source.on_poll = [&](int poll) {
    if (poll == news) ::eventfd_write(watcher.fd(), 1);
    if (poll == 1000) loop_.stop();
  };
  CallRunnable start([&] { EXPECT_TRUE(core_.mark_hot(source)); });
  core_.schedule(start);

  loop_.run();

  EXPECT_GE(told_at, news);
  EXPECT_LE(told_at, news + 1);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
