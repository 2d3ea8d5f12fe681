// SPDX-License-Identifier: Apache-2.0
// What one turn of a server's loop does at most for its peers, whatever they ask for at once.
#include "async/loop_core_fixture.hpp"
#include "server/manual_server.hpp"

#include <nearcall/async_event.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <string>

namespace nearcall::test {
namespace {

using http2::ErrorCode;
using http2::FrameType;
using http2::SettingId;
using http2::StreamId;

class FairTurnsTest : public ManualServerTest {
 protected:
  /// Before the loop has looked.
  FramePeer& comes_unseen(std::initializer_list<http2::Setting> settings = {}) {
    FramePeer& peer = peers_.emplace_back(path(), FramePeer::passive);
    peer.say_hello(settings);
    return peer;
  }
  FramePeer& comes(std::initializer_list<http2::Setting> settings = {}) {
    FramePeer& peer = comes_unseen(settings);
    settle();
    return peer;
  }
  /// Turns the loop until `occasions` come to `all`; how many there were in one turn at most.
  int most_in_a_turn(Occasions& occasions, int all) {
    int most = 0;
    for (int turns = 0; occasions.count() < all && turns < 10'000; ++turns) {
      const int before = occasions.count();
      loop_.poll();
      most = std::max(most, occasions.count() - before);
    }
    EXPECT_EQ(occasions.count(), all);
    return most;
  }

  std::list<FramePeer> peers_;
};

TEST_F(FairTurnsTest, LargeRepliesAreMadeOneInATurn) {
  start();
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    return text_of(std::string(std::stoul(request.value()), 'x'));
  };
  constexpr int calls_of_each = 5;
  for (int i = 0; i < 3; ++i) {
    FramePeer& peer = comes({{SettingId::initial_window_size, 0}});
    for (StreamId id = 1; id < 2 * calls_of_each; id += 2)
      peer.ask_whole(id, echo, text_of("4000000"));
  }

  EXPECT_LE(most_in_a_turn(service_.started, 3 * calls_of_each), 2);
  log_capture().allow("max_buffered_output_of_new_calls");
}

TEST_F(FairTurnsTest, SmallRepliesAreMadeManyInATurn) {
  start();
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 60; id += 2)
    peer.ask_whole(id, echo, text_of("small"));

  EXPECT_EQ(most_in_a_turn(service_.started, 30), 30);
}

TEST_F(FairTurnsTest, RequestsThatTakeLongToParseAreAFewInATurn) {
  start();
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> { return text_of("short"); };
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 14; id += 2)
    peer.ask_whole(id, echo, text_with_small_fields(8000));

  EXPECT_LE(most_in_a_turn(service_.started, 7), 3) << "80 ns a byte";
}

TEST_F(FairTurnsTest, MessagesThatTakeLongToFreeAreFreedAFewInATurn) {
  start();
  service_.on_chat = [](Text& message) { message.mutable_value()->clear(); };
  constexpr StreamId calls = 20;
  FramePeer& peer = comes();
  for (StreamId n = 0; n < calls; ++n) {
    peer.ask(2 * n + 1, chat);
    peer.say(frames::data(2 * n + 1, framed(text_with_small_fields(16'000))));
    settle();
  }
  ASSERT_EQ(service_.started.count(), static_cast<int>(calls));

  peers_.clear();

  EXPECT_LE(most_in_a_turn(service_.cancelled, calls), 3);
}

TEST_F(FairTurnsTest, CallsThatWereHeldBeginAFewInATurn) {
  start();
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    return text_of(std::string(std::stoul(request.value()), 'x'));
  };
  log_capture().allow("max_buffered_output_of_new_calls");
  constexpr StreamId large = 5;
  constexpr StreamId small = 500;
  FramePeer& peer = comes({{SettingId::initial_window_size, 0}});
  for (StreamId n = 0; n < large + small; ++n) {
    peer.ask_whole(2 * n + 1, echo, text_of(n < large ? "4000000" : "1"));
    if (n % 50 == 0) settle();  // the socket holds no more
  }
  settle();
  ASSERT_EQ(service_.started.count(), large) << "the others are held";

  for (StreamId n = 0; n < large; ++n)
    peer.say(frames::rst_stream(2 * n + 1, ErrorCode::cancel));

  EXPECT_LE(most_in_a_turn(service_.started, large + small), 256);
}

TEST_F(FairTurnsTest, AConnectionThatEndsWithManyCallsTakesATurnOfItsOwn) {
  start();
  constexpr int calls = 600;
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 2 * calls; id += 2) {
    peer.ask_whole(id, hold);
    if (id % 100 == 1) settle();  // the socket holds no more
  }
  settle();
  ASSERT_EQ(service_.started.count(), calls);
  ASSERT_FALSE(detail::Access::core(loop_).budget().is_spent());

  peers_.clear();
  loop_.poll();

  EXPECT_TRUE(detail::Access::core(loop_).budget().is_spent())
      << "others that end have theirs in the next";
}

TEST_F(FairTurnsTest, ConnectionsThatComeTogetherAreTakenAFewInATurn) {
  start();
  constexpr int all = 100;
  for (int i = 0; i < all; ++i)
    comes_unseen().ask_whole(1, echo);

  EXPECT_LE(most_in_a_turn(service_.started, all), 16) << "a quarter of a turn's budget";
}

TEST_F(FairTurnsTest, ConnectionsAreTakenThoughEventsUseUpEachTurn) {
  start();
  detail::LoopCore& core = detail::Access::core(loop_);
  const detail::CallWatcher greedy(
      core, [&] { core.budget().spend(detail::TurnBudget::whole); }, /*events=*/EPOLLIN);
  constexpr int all = 5;
  for (int i = 0; i < all; ++i)
    comes_unseen();

  for (int turns = 0; turns < 10 * all; ++turns)
    loop_.poll();

  for (FramePeer& peer : peers_) {
    peer.listen();
    EXPECT_GT(peer.frames_heard(FrameType::settings), 0U);
  }
}

// ---- connections whose handlers wait by the hundred ---------------------------------------------

/// Each turn is used up, and hundreds of one connection's handlers wait for room in one.
class CrowdTest : public FairTurnsTest {
 protected:
  static constexpr StreamId crowd = 250;

  CrowdTest() {
    start();
    service_.pause = &pause_;
    FramePeer& many = comes();
    for (StreamId n = 0; n < crowd; ++n) {
      many.ask(2 * n + 1, chat);
      many.say(frames::data(2 * n + 1, framed(text_of("x"))));
      if (n % 50 == 0) settle();  // the socket holds no more
    }
    settle();
    EXPECT_EQ(service_.started.count(), static_cast<int>(crowd));
  }
  ~CrowdTest() override { server_.reset(); }  // handlers may still wait for pause_

  void make_the_crowd_wait() {
    service_.pause = nullptr;
    loop_.post([this] { pause_.set(); });
    turn_that_is_used_up();
    turn_that_is_used_up();
  }
  /// Before it comes to its events.
  void turn_that_is_used_up() {
    loop_.post([this] { core_.budget().spend(detail::TurnBudget::whole); });
    loop_.poll();
  }
  /// How many turns the loop makes until `peer` has heard so many frames of data.
  int turns_until_heard(FramePeer& peer, std::size_t frames_of_data) {
    int turns = 0;
    while (peer.frames_heard(FrameType::data) < frames_of_data && turns < 1000) {
      turn_that_is_used_up();
      peer.listen();
      ++turns;
    }
    return turns;
  }

  AsyncEvent pause_;
  detail::LoopCore& core_ = detail::Access::core(loop_);
};

TEST_F(CrowdTest, ACallOfAnotherConnectionIsAnsweredAfterAFewTurns) {
  FramePeer& other = comes();
  make_the_crowd_wait();

  other.ask_whole(1, echo, text_of("x"));

  EXPECT_LE(turns_until_heard(other, 1), 5);
}

TEST_F(CrowdTest, AHandlerOfAnotherConnectionGoesOnAfterAFewTurns) {
  FramePeer& other = comes();
  service_.pause = nullptr;
  other.ask(1, chat);
  other.say(frames::data(1, framed(text_of("x"))));
  settle();
  make_the_crowd_wait();

  other.say(frames::data(1, framed(text_of("x"))));

  EXPECT_LE(turns_until_heard(other, 2), 10);
}

}  // namespace
}  // namespace nearcall::test
