// SPDX-License-Identifier: Apache-2.0
// Messages that handlers have, and do not give back: they count, and large requests wait.
#include "server/manual_server.hpp"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace nearcall::test {
namespace {

using http2::ErrorCode;
using http2::FrameType;
using http2::StreamId;

/// Requests of 16,000 bytes, which hold 384,000 once they are parsed: 8,000 fields and strings.
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
  /// The server as it is where handlers may have 512 KiB, as all whose windows take 128 KiB.
  void start_small() {
    start(ServerOptions().limits(
        LimitSet{.max_concurrent_streams = 16, .max_buffered_input = 128 * 1024}));
  }
  /// Five, of which two are as much as handlers may have.
  FramePeer& comes_with_five_requests() {
    FramePeer& peer = comes();
    for (StreamId id = 1; id < 11; id += 2)
      ask_much(peer, id);
    return peer;
  }
  std::list<FramePeer> peers_;
};

TEST_F(HeldMessagesTest, LargeRequestsWaitUntilHandlersReturn) {
  start_small();
  FramePeer& peer = comes_with_five_requests();

  EXPECT_EQ(service_.started.count(), 2);
  EXPECT_TRUE(log_capture().take("large requests wait"));

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
  log_capture().allow("large requests wait");

  peer.ask_whole(11, echo, text_of("small"));
  settle();
  peer.listen();

  EXPECT_TRUE(peer.stream(11).is_over());
}

TEST_F(HeldMessagesTest, WhoWaitedIsFinishedByItsDeadline) {
  start_small();
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("large requests wait");
  peer.ask_whole(11, hold, text_with_small_fields(size), "1S");
  settle();

  advance(std::chrono::seconds(2));
  peer.listen();

  EXPECT_TRUE(peer.stream(11).is_over());
  EXPECT_EQ(service_.started.count(), 2);
}

TEST_F(HeldMessagesTest, ThoseThatWaitEndWithTheirConnection) {
  start_small();
  comes_with_five_requests();
  log_capture().allow("large requests wait");

  peers_.clear();
  settle();

  EXPECT_EQ(service_.cancelled.count(), 2);
  EXPECT_EQ(service_.started.count(), 2);
}

TEST_F(HeldMessagesTest, ThoseThatWaitEndWithTheServer) {
  start_small();
  FramePeer& peer = comes_with_five_requests();
  log_capture().allow("large requests wait");

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
    ask_much(peer, id, echo);

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
