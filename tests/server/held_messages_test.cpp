// SPDX-License-Identifier: Apache-2.0
// Messages that handlers have, and do not give back: they count, and large requests wait.
#include "server/manual_server.hpp"
#include "support/limit_set.hpp"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace nearcall::test {
namespace {

using http2::ErrorCode;
using http2::FrameType;
using http2::StreamId;

/// Messages of 16,000 and of 70,000 bytes, which hold 24 times that once they are parsed: fields of
/// two bytes each.
class HeldMessagesTest : public ManualServerTest {
 protected:
  static constexpr std::size_t size = 16'000;

  FramePeer& comes() {
    FramePeer& peer = peers_.emplace_back(path(), FramePeer::passive);
    peer.say_hello();
    settle();
    return peer;
  }
  void ask_much(FramePeer& peer, StreamId id, std::string_view method = hold) {
    peer.ask_whole(id, method, text_with_small_fields(size));
    settle();
    peer.listen();
  }
  /// So large that it may have to wait.
  void ask_more(FramePeer& peer,
                StreamId id,
                std::string_view method = hold,
                std::string_view timeout = {}) {
    peer.ask(id, method, timeout);
    say_in_pieces(peer, id, framed(text_with_small_fields(70'000)), http2::frame_flag::end_stream);
  }
  void say_in_pieces(FramePeer& peer, StreamId id, std::string_view bytes, std::uint8_t last_flag) {
    constexpr std::size_t most = 16'000;
    for (std::size_t at = 0; at < bytes.size(); at += most) {
      const bool is_last = at + most >= bytes.size();
      peer.say(frames::data(id, bytes.substr(at, most), is_last ? last_flag : 0));
      settle();
    }
    peer.listen();
  }
  void start_small() { start(ServerOptions().limits(LimitSet{.max_held_requests = 3'000'000})); }
  /// Five, of which two are as much as handlers may have.
  FramePeer& comes_with_five_requests() {
    FramePeer& peer = comes();
    for (StreamId id = 1; id < 11; id += 2)
      ask_more(peer, id);
    return peer;
  }
  std::list<FramePeer> peers_;
};

TEST_F(HeldMessagesTest, LargeRequestsWaitUntilHandlersReturn) {
  start_small();
  FramePeer& peer = comes_with_five_requests();

  EXPECT_EQ(service_.started.count(), 2);
  EXPECT_TRUE(log_capture().take("max_held_requests"));

  peer.say(frames::rst_stream(1, ErrorCode::cancel));
  settle();
  EXPECT_EQ(service_.started.count(), 3);
  peer.say(frames::rst_stream(3, ErrorCode::cancel) + frames::rst_stream(5, ErrorCode::cancel));
  settle();
  EXPECT_EQ(service_.started.count(), 5);
}

TEST_F(HeldMessagesTest, SmallRequestsAreServedMeanwhile) {
  start_small();
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("max_held_requests");

  peer.ask_whole(11, echo, text_of("small"));
  settle();
  peer.listen();

  EXPECT_TRUE(peer.stream(11).is_over());
}

TEST_F(HeldMessagesTest, WhoWaitedIsFinishedByItsDeadline) {
  start_small();
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("max_held_requests");
  ask_more(peer, 11, hold, "1S");
  EXPECT_FALSE(peer.stream(11).is_over());

  advance(std::chrono::seconds(2));
  peer.listen();

  EXPECT_TRUE(peer.stream(11).is_over());
  EXPECT_EQ(service_.started.count(), 2);
}

TEST_F(HeldMessagesTest, WhoWaitedAndHasGoneHoldsNoInput) {
  AsyncEvent pause;
  service_.pause = &pause;
  constexpr std::uint32_t budget = 400 * 1024;
  start(ServerOptions().limits(
      LimitSet{.max_buffered_input = budget, .max_held_requests = 3'000'000}));
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("max_held_requests");
  const auto acknowledge = [&] {
    peer.say(frames::settings_ack());
    settle();
    peer.listen();
  };
  acknowledge();
  for (StreamId id = 5; id < 11; id += 2)
    peer.say(frames::rst_stream(id, ErrorCode::cancel));
  settle();
  acknowledge();
  peer.ask(11, chat);
  for (int message = 0; message < 6; ++message)  // all but the first stay unread
    say_in_pieces(peer, 11, framed(text_of(std::string(50'000, 'x'))), 0);
  acknowledge();

  peer.ask(13, chat);
  say_in_pieces(peer, 13, framed(std::string(2 * budget, 'x')).substr(0, 10), 0);

  EXPECT_GT(peer.credit(13), 0U) << "of a message that is larger than the budget";
  pause.set();
  settle();
}

TEST_F(HeldMessagesTest, ThoseThatWaitEndWithTheirConnection) {
  start_small();
  comes_with_five_requests();
  log_capture().allow("max_held_requests");

  peers_.clear();
  settle();

  EXPECT_EQ(service_.cancelled.count(), 2);
  EXPECT_EQ(service_.started.count(), 2);
}

TEST_F(HeldMessagesTest, ThoseThatWaitEndWithTheServer) {
  start_small();
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("max_held_requests");

  server_.reset();
  peer.listen();

  EXPECT_TRUE(peer.has_ended());
  EXPECT_EQ(service_.started.count(), 2);
}

TEST_F(HeldMessagesTest, ThatWereGivenBackCountNoMore) {
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> { return Text(); };
  start_small();
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 41; id += 2)
    ask_more(peer, id, echo);

  EXPECT_EQ(service_.started.count(), 20);
  EXPECT_TRUE(peer.stream(39).is_over());
}

TEST_F(HeldMessagesTest, OfAllConnectionsCountToWhatTheServerMayKeep) {
  start(ServerOptions().max_total_buffered_input(1'500'000));
  FramePeer& more = comes();
  FramePeer& less = comes();
  ask_much(more, 1);
  ask_much(more, 3);
  ask_much(less, 1);
  EXPECT_FALSE(more.has_ended() || less.has_ended());

  ask_much(more, 5);

  EXPECT_TRUE(more.has_ended());
  EXPECT_EQ(more.heard(FrameType::goaway).at(0).code(), ErrorCode::enhance_your_calm);
  EXPECT_FALSE(less.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
}

TEST_F(HeldMessagesTest, OfStreamsHoldNoRequests) {
  service_.on_chat = [](Text& message) { message = Text(); };
  start(ServerOptions().limits(LimitSet{.max_held_requests = 1'000'000}));
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 11; id += 2) {
    peer.ask(id, chat);
    peer.say(frames::data(id, framed(text_with_small_fields(size))));
    settle();
  }

  ask_more(peer, 11);

  EXPECT_EQ(service_.started.count(), 6);
}

TEST_F(HeldMessagesTest, OfAStreamAreNotKeptBehindASmallOne) {
  service_.on_chat = [](Text&) {};
  start(ServerOptions().max_total_buffered_input(1'500'000));
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 21; id += 2) {
    peer.ask(id, chat);
    peer.say(frames::data(id, framed(text_with_small_fields(size))) +
             frames::data(id, framed(text_of("small"))));
    settle();
    peer.listen();
    peer.say(frames::window_update(0, 100'000));
  }

  EXPECT_FALSE(peer.has_ended());
}

TEST_F(HeldMessagesTest, OfStreamsThatWaitForTheNextOneCountNoMoreThanIsLeft) {
  service_.on_chat = [](Text& message) { message = Text(); };
  start(ServerOptions().max_total_buffered_input(1'500'000));
  FramePeer& peer = comes();
  for (StreamId id = 1; id < 21; id += 2) {
    peer.ask(id, chat);
    peer.say(frames::data(id, framed(text_with_small_fields(size))));
    settle();
    peer.listen();
  }

  EXPECT_FALSE(peer.has_ended());
}

TEST_F(HeldMessagesTest, OfConnectionsThatHaveEndedCountUntilHandlersReturn) {
  AsyncEvent pause;
  service_.pause = &pause;
  start(ServerOptions().max_total_buffered_input(1'500'000));
  const auto come_and_go = [&] {
    FramePeer& peer = comes();
    peer.ask(1, chat);
    peer.say(frames::data(1, framed(text_with_small_fields(size))));
    settle();
    peers_.pop_back();
    settle();
  };
  for (int i = 0; i < 3; ++i)
    come_and_go();
  FramePeer& large = comes();
  FramePeer& small = comes();
  small.ask_whole(1, hold);

  ask_much(large, 1);

  EXPECT_TRUE(large.has_ended()) << "it would be the fourth";
  small.listen();
  EXPECT_FALSE(small.has_ended()) << "it holds a trifle";
  EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
  pause.set();
  settle();
  ask_much(small, 3);
  EXPECT_FALSE(small.has_ended());
}

TEST_F(HeldMessagesTest, OfStreamsCountUntilTheNextOneIsRead) {
  AsyncEvent pause;
  service_.pause = &pause;
  service_.on_chat = [](Text& message) { message = Text(); };
  start(ServerOptions().max_total_buffered_input(1024 * 1024));
  FramePeer& peer = comes();
  const std::string message = framed(text_with_small_fields(size));
  const auto chat_of = [&](StreamId id) {
    peer.ask(id, chat);
    peer.say(frames::data(id, message));
    settle();
    peer.listen();
  };
  chat_of(1);
  for (int i = 0; i < 10; ++i) {
    peer.say(frames::data(1, message));
    pause.set();
    settle();
    pause.reset();
    peer.listen();
  }
  chat_of(3);
  EXPECT_FALSE(peer.has_ended()) << "each has one";

  for (StreamId id = 5; id < 13 && !peer.has_ended(); id += 2)
    chat_of(id);

  EXPECT_TRUE(peer.has_ended());
  EXPECT_TRUE(log_capture().take("max_total_buffered_input"));
  pause.set();
  settle();
}

}  // namespace
}  // namespace nearcall::test
