// SPDX-License-Identifier: Apache-2.0
// What attempts that end well or badly make of a server's state, and of the pauses between them.
#include "client/connectivity.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using Event = Connectivity::Event;
using State = Connectivity::State;

constexpr double no_jitter = 0.5;

State state_after(const std::vector<Event>& events) {
  Connectivity connectivity;
  for (const Event event : events)
    connectivity.resume(event, TimePoint{}, no_jitter);
  return connectivity.state();
}

TEST(Connectivity, FollowsTheStatesOfGrpc) {
  struct Row {
    std::vector<Event> events;
    State state;
  };
  const Row rows[] = {
      {{}, State::idle},
      {{Event::attempt}, State::connecting},
      {{Event::attempt, Event::connected}, State::ready},
      {{Event::attempt, Event::failed}, State::transient_failure},
      {{Event::attempt, Event::cancelled}, State::idle},
      {{Event::attempt, Event::connected, Event::lost}, State::idle},
      {{Event::attempt, Event::failed, Event::attempt}, State::connecting},
      {{Event::attempt, Event::failed, Event::attempt, Event::cancelled}, State::transient_failure},
      {{Event::attempt, Event::failed, Event::attempt, Event::connected}, State::ready},
  };
  for (const Row& row : rows)
    EXPECT_EQ(state_after(row.events), row.state) << "row " << &row - rows;
}

TEST(Connectivity, IsReadyAsLongAsOneConnectionLivesWhateverElseHappens) {
  std::vector<Event> events = {Event::attempt, Event::attempt, Event::connected};
  EXPECT_EQ(state_after(events), State::ready);
  events.push_back(Event::failed);
  EXPECT_EQ(state_after(events), State::ready);
  events.insert(events.end(), {Event::attempt, Event::connected, Event::lost});
  EXPECT_EQ(state_after(events), State::ready);
  events.insert(events.end(), {Event::attempt, Event::lost});
  EXPECT_EQ(state_after(events), State::connecting);
}

TEST(Connectivity, AForkedChildMaySeeTheEndOfWhatItsParentBegan) {
  EXPECT_EQ(state_after({Event::lost}), State::idle);
  EXPECT_EQ(state_after({Event::cancelled, Event::attempt}), State::connecting);
  EXPECT_EQ(state_after({Event::lost, Event::attempt, Event::connected}), State::ready);
}

/// The pauses after that many attempts that fail at once, one after the other.
std::vector<Duration> pauses(Connectivity connectivity, int failures, double chance) {
  std::vector<Duration> result;
  TimePoint now{1h};
  for (int i = 0; i < failures; ++i) {
    connectivity.resume(Event::attempt, now, chance);
    connectivity.resume(Event::failed, now, chance);
    result.push_back(connectivity.next_attempt() - now);
    now = connectivity.next_attempt();
  }
  return result;
}

TEST(Connectivity, PausesGrowFromFailureToFailureUpToTheLongest) {
  const Connectivity connectivity({.first = 100ms, .factor = 2, .jitter = 0.2, .longest = 500ms});

  EXPECT_EQ(pauses(connectivity, 5, no_jitter),
            (std::vector<Duration>{100ms, 200ms, 400ms, 500ms, 500ms}));
  EXPECT_EQ(pauses(connectivity, 2, 0), (std::vector<Duration>{80ms, 160ms}));
  EXPECT_EQ(pauses(connectivity, 2, 1), (std::vector<Duration>{120ms, 240ms}));
}

TEST(Connectivity, AServerThatCameBackWithinASecondIsFoundWithinAnother) {
  const std::vector<Duration> usual = pauses(Connectivity(), 30, 1);

  EXPECT_LE(usual.front(), 12ms);
  EXPECT_LE(usual.back(), 1200ms);
}

TEST(Connectivity, APauseCountsFromTheBeginningOfAnAttempt) {
  Connectivity connectivity({.first = 100ms});
  const TimePoint start{1h};

  connectivity.resume(Event::attempt, start, no_jitter);
  connectivity.resume(Event::failed, start + 30ms, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), start + 100ms);

  connectivity.resume(Event::attempt, start + 1s, no_jitter);
  connectivity.resume(Event::failed, start + 9s, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), start + 9s);  // it took longer than the pause
}

TEST(Connectivity, ASuccessEndsThePauses) {
  Connectivity connectivity({.first = 100ms});
  const TimePoint start{1h};
  for (const Event event : {Event::attempt, Event::failed, Event::attempt, Event::failed,
                            Event::attempt, Event::connected, Event::lost})
    connectivity.resume(event, start, no_jitter);
  EXPECT_LE(connectivity.next_attempt(), start);

  connectivity.resume(Event::attempt, start, no_jitter);
  connectivity.resume(Event::failed, start, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), start + 100ms);
}

TEST(Connectivity, WhatFailsBeforeItsTimeMakesNoPauseLonger) {
  Connectivity connectivity({.first = 100ms});
  const TimePoint start{1h};
  for (const Duration later : {0ms, 10ms, 20ms, 99ms}) {
    connectivity.resume(Event::attempt, start + later, no_jitter);
    connectivity.resume(Event::failed, start + later, no_jitter);

    EXPECT_EQ(connectivity.next_attempt(), start + 100ms);
  }
}

TEST(Connectivity, WhereSomethingAppearsThePausesBeginAgainButNotTwiceAtOnce) {
  Connectivity connectivity({.first = 1ms, .factor = 2, .longest = 100ms});
  TimePoint now{1h};
  for (int i = 0; i < 10; ++i) {
    connectivity.resume(Event::attempt, now, no_jitter);
    connectivity.resume(Event::failed, now, no_jitter);
    now = connectivity.next_attempt();
  }
  connectivity.resume(Event::attempt, now, no_jitter);
  connectivity.resume(Event::failed, now, no_jitter);
  ASSERT_EQ(connectivity.next_attempt(), now + 100ms);

  connectivity.resume(Event::appeared, now, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), now + 1ms);
  EXPECT_EQ(connectivity.state(), State::transient_failure);

  now += 50ms;
  connectivity.resume(Event::appeared, now, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), now);
  connectivity.resume(Event::attempt, now, no_jitter);
  connectivity.resume(Event::failed, now, no_jitter);
  EXPECT_EQ(connectivity.next_attempt(), now + 1ms);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
