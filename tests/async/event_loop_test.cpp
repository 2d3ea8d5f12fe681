// SPDX-License-Identifier: Apache-2.0
// EventLoop: run, stop, post, and life inside another loop.
#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>
#include <nearcall/task.hpp>
#include <nearcall/wait.hpp>

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace nearcall {
namespace {

using namespace std::chrono_literals;

bool is_readable(int fd, int timeout_ms = 0) {
  pollfd look{fd, POLLIN, 0};
  return ::poll(&look, 1, timeout_ms) == 1;
}

TEST(EventLoop, RunsPostedWorkInOrder) {
  EventLoop loop;
  std::vector<int> order;
  for (int index = 0; index < 1000; ++index)
    loop.post([&order, index] { order.push_back(index); });
  loop.post([&loop] { loop.stop(); });

  loop.run();

  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(EventLoop, StopBeforeRunEndsTheNextRunOnly) {
  EventLoop loop;
  int runs = 0;
  loop.stop();
  loop.post([&] {
    ++runs;
    loop.stop();
  });

  loop.run();
  EXPECT_EQ(runs, 0);
  loop.run();
  EXPECT_EQ(runs, 1);
}

TEST(EventLoop, StopsFromAnotherThread) {
  EventLoop loop;
  std::latch running(1);
  loop.post([&] { running.count_down(); });
  std::jthread stopper([&] {
    running.wait();
    loop.stop();
  });

  loop.run();
}

TEST(EventLoop, IsCurrentOnlyInsideOfRunAndPoll) {
  EventLoop loop;
  EventLoop* seen = nullptr;
  loop.post([&] {
    seen = EventLoop::current();
    EXPECT_TRUE(loop.is_in_this_thread());
  });

  loop.poll();

  EXPECT_EQ(seen, &loop);
  EXPECT_EQ(EventLoop::current(), nullptr);
}

TEST(EventLoop, TakesPostsFromFourThreads) {
  constexpr int per_thread = 2000;
  EventLoop loop;
  int count = 0;  // touched on the loop's thread alone
  std::vector<std::jthread> posters;
  for (int poster = 0; poster < 4; ++poster) {
    posters.emplace_back([&] {
      for (int index = 0; index < per_thread; ++index) {
        loop.post([&] {
          if (++count == 4 * per_thread) loop.stop();
        });
      }
    });
  }

  loop.run();

  EXPECT_EQ(count, 4 * per_thread);
}

TEST(EventLoop, LoopsWakeEachOther) {
  EventLoop first;
  EventLoop second;
  std::jthread thread([&] { second.run(); });
  int rounds = 0;
  std::function<void()> bounce = [&] {
    if (++rounds == 1000) {
      first.stop();
    } else {
      second.post([&] { first.post(bounce); });
    }
  };
  first.post(bounce);

  first.run();

  EXPECT_EQ(rounds, 1000);
  second.stop();
}

TEST(EventLoop, DestroysWhatWasPostedAndNotCalled) {
  const auto token = std::make_shared<int>();
  {
    EventLoop loop;
    loop.post([token] { ADD_FAILURE(); });
  }

  EXPECT_EQ(token.use_count(), 1);
}

TEST(EventLoop, PostMakesTheDescriptorReadableUntilPolled) {
  EventLoop loop;
  int calls = 0;
  const int fd = loop.fd();
  EXPECT_FALSE(is_readable(fd));

  loop.post([&] { ++calls; });
  EXPECT_TRUE(is_readable(fd));
  loop.poll();

  EXPECT_EQ(calls, 1);
  EXPECT_FALSE(is_readable(fd));
}

TEST(EventLoop, DescriptorIsReadableForWorkThatWasThereBefore) {
  EventLoop loop;
  loop.post([] {});

  EXPECT_TRUE(is_readable(loop.fd()));
}

TEST(EventLoop, DescriptorStaysReadableWhileWorkIsLeft) {
  EventLoop loop;
  int calls = 0;
  for (int index = 0; index < 1000; ++index)
    loop.post([&] { ++calls; });
  const int fd = loop.fd();

  int polls = 0;
  while (is_readable(fd)) {
    loop.poll();
    ++polls;
  }

  EXPECT_EQ(calls, 1000);
  EXPECT_GT(polls, 1);  // one turn is bounded
}

Task<> sleep_and_count(int& count) {
  co_await sleep_for(2ms);
  ++count;
  co_await sleep_for(2ms);
  ++count;
}

TEST(EventLoop, TimersMakeTheDescriptorReadable) {
  EventLoop loop;
  int count = 0;
  spawn(loop, sleep_and_count(count));
  const int fd = loop.fd();

  int polls = 0;
  while (count < 2) {
    ASSERT_TRUE(is_readable(fd, 10'000));
    loop.poll();
    ++polls;
  }

  EXPECT_LE(polls, 8);  // it slept in between
}

TEST(EventLoop, StopMeansNothingToPoll) {
  EventLoop loop;
  const int fd = loop.fd();
  loop.stop();
  loop.poll();

  EXPECT_FALSE(is_readable(fd));
}

TEST(EventLoop, RunsInsideOfAnotherLoop) {
  EventLoop outer;
  EventLoop inner;
  int count = 0;
  spawn(inner, sleep_and_count(count));
  inner.post([&] { EXPECT_EQ(EventLoop::current(), &inner); });
  const auto drive = [](EventLoop& host, EventLoop& guest, int& done) -> Task<> {
    while (done < 2) {
      co_await wait_readable(guest.fd());
      guest.poll();
      EXPECT_EQ(EventLoop::current(), &host);
    }
    host.stop();
  };
  spawn(outer, drive(outer, inner, count));

  outer.run();

  EXPECT_EQ(count, 2);
}

TEST(EventLoop, PollInsideOfItselfDoesNothingAndLeavesTheDescriptorUnready) {
  EventLoop loop;
  const int fd = loop.fd();
  int inner_calls = 0;
  int polls_of_the_dialog = 0;
  loop.post([&] {
    loop.post([&] { ++inner_calls; });
    while (is_readable(fd)) {  // the host's loop, inside of a modal dialog
      loop.poll();
      ASSERT_LT(++polls_of_the_dialog, 3);
    }
    EXPECT_EQ(inner_calls, 0);
    loop.post([&] { ++inner_calls; });
    EXPECT_FALSE(is_readable(fd)) << "not for later news either";
  });

  loop.poll();
  while (is_readable(fd))
    loop.poll();

  EXPECT_EQ(inner_calls, 2);
}

TEST(EventLoop, WhatCameWhilePollWasNestedMakesTheDescriptorReadableAfterwards) {
  EventLoop loop;
  const int fd = loop.fd();
  int count = 0;
  loop.post([&] {
    loop.poll();
    spawn(loop, sleep_and_count(count));
  });

  loop.poll();
  while (count < 2) {
    ASSERT_TRUE(is_readable(fd, 10'000));
    loop.poll();
  }

  EXPECT_FALSE(is_readable(fd));
}

TEST(EventLoop, ABoundLoopIsCurrentButDoesNotRun) {
  EventLoop loop;
  {
    const EventLoop::Binding binding(loop);
    EXPECT_EQ(EventLoop::current(), &loop);
    EXPECT_EQ(EventLoop::running(), nullptr);
    EXPECT_TRUE(loop.is_in_this_thread());
    EventLoop other;
    other.post([&] {
      EXPECT_EQ(EventLoop::current(), &other);
      EXPECT_EQ(EventLoop::running(), &other);
      EXPECT_FALSE(loop.is_in_this_thread());
    });
    other.poll();
    EXPECT_EQ(EventLoop::current(), &loop);
  }

  EXPECT_EQ(EventLoop::current(), nullptr);
}

TEST(EventLoop, TasksSpawnedOnABoundLoopRunInItsNextPoll) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  int count = 0;
  spawn(sleep_and_count(count));
  const int fd = loop.fd();

  while (count < 2) {
    ASSERT_TRUE(is_readable(fd, 10'000));
    loop.poll();
  }
}

TEST(EventLoop, SyncWaitDrivesTheBoundLoopAndLeavesItsStopRequestsAlone) {
  EventLoop loop;
  const EventLoop::Binding binding(loop);
  int others = 0;
  spawn(sleep_and_count(others));
  const auto whose = [](int& done) -> Task<EventLoop*> {
    while (done < 2)
      co_await sleep_for(1ms);
    co_return EventLoop::running();
  };
  loop.stop();

  EXPECT_EQ(sync_wait(whose(others)), &loop);

  EXPECT_EQ(others, 2);
  loop.run();  // ends at once: it was told to stop
}

TEST(EventLoop, CallsWhatCannotBeCopied) {
  EventLoop loop;
  int seen = 0;
  loop.post([&seen, held = std::make_unique<int>(7)] { seen = *held; });

  loop.poll();

  EXPECT_EQ(seen, 7);
}

TEST(EventLoopDeathTest, RunInsideOfAnotherLoopStopsTheProgram) {
  EventLoop loop;
  EventLoop other;
  loop.post([&] { other.run(); });

  EXPECT_DEATH(loop.poll(), "inside of itself or another loop");
}

TEST(EventLoopDeathTest, DestroyedInsideOfItsOwnPollStopsTheProgram) {
  auto loop = std::make_unique<EventLoop>();
  loop->post([&loop] { loop.reset(); });

  EXPECT_DEATH(loop->poll(), "destroyed inside of its own run.. or poll..; stop.. it");
}

TEST(EventLoopDeathTest, AnEmptyFunctionThatIsPostedStopsTheProgram) {
  EventLoop loop;

  EXPECT_DEATH(loop.post(nullptr), "the function is empty");
}

TEST(EventLoopDeathTest, RunInsideOfItselfStopsTheProgram) {
  EventLoop loop;
  loop.post([&] { loop.run(); });

  EXPECT_DEATH(loop.poll(), "inside of itself");
}

TEST(EventLoopDeathTest, PolledOrRunWhileAnotherThreadRunsItStopsTheProgram) {
  EventLoop loop;
  const auto meanwhile = [&loop](void (EventLoop::*enter)()) {
    loop.post([&loop, enter] { std::thread([&] { (loop.*enter)(); }).join(); });
    loop.poll();
  };

  EXPECT_DEATH(meanwhile(&EventLoop::poll), "while another thread is inside of it");
  EXPECT_DEATH(meanwhile(&EventLoop::run), "while another thread is inside of it");
}

}  // namespace
}  // namespace nearcall
