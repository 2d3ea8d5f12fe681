// SPDX-License-Identifier: Apache-2.0
// What a client finds that has not read its last answer when a server drains, and how long that may
// take.
#include "server/manual_server.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class LingeringTest : public ManualServerTest {
 protected:
  /// A client that says hello, and whatever the test says.
  FramePeer& connect() {
    peer_.emplace(path(), FramePeer::passive);
    peer_->say_hello();
    settle();
    return *peer_;
  }
  /// With a call that is answered when the server stops.
  void stop_with_a_call() {
    connect().ask_whole(1, hold, text_of("stop"));
    settle();
    stop();
    advance(100ms);  // the PING is not answered
    ASSERT_TRUE(peer_->has_ended()) << "it hears the end";
    EXPECT_EQ(peer_->stream(1).field("grpc-status"), "0");
  }
  /// The PING of the drain.
  std::string ping_of_drain() {
    const std::vector<HeardFrame> pings = peer_->heard(http2::FrameType::ping);
    return pings.empty() ? "no PING!" : pings.front().payload;
  }
  /// The peer closes, too.
  void close_peer() {
    peer_.reset();
    settle();
  }

  std::optional<FramePeer> peer_;
};

TEST_F(LingeringTest, AClientMaySpeakAfterItsLastAnswerUntilItHasClosed) {
  start();
  stop_with_a_call();

  EXPECT_TRUE(peer_->say(frames::window_update(0, 1000)));
  settle();
  EXPECT_TRUE(peer_->say(frames::window_update(0, 1000)));
  EXPECT_FALSE(has_stopped());
  close_peer();

  EXPECT_TRUE(has_stopped());
}

TEST_F(LingeringTest, AClientThatNeverClosesHasASecond) {
  start();
  stop_with_a_call();

  advance(999ms);
  EXPECT_FALSE(has_stopped());
  advance(1ms);

  EXPECT_TRUE(has_stopped());
  EXPECT_EQ(peer_->say_deaf("anything"), 0U);
}

TEST_F(LingeringTest, AClientThatFloodsIsCutOff) {
  constexpr std::size_t most = 256 * 1024;
  ConnectionLimits limits;
  limits.max_buffered_input = most;
  start(ServerOptions().limits(limits));
  stop_with_a_call();

  const std::string flood(4096, 'x');
  std::size_t said = 0;
  while (!has_stopped() && said < 4 * most && peer_->say(flood)) {
    said += flood.size();
    settle();
  }

  EXPECT_TRUE(has_stopped());
  EXPECT_GE(said, most);
  EXPECT_LE(said, most + flood.size());
}

TEST_F(LingeringTest, TheDrainTimeoutEndsItToo) {
  ConnectionLimits limits;
  limits.linger_timeout = std::chrono::nanoseconds::max();
  start(ServerOptions().limits(limits).drain_timeout(5s));
  stop_with_a_call();

  advance(4899ms);
  EXPECT_FALSE(has_stopped());
  advance(1ms);

  EXPECT_TRUE(has_stopped());
}

/// Nobody drives such a connection: a blocking client's that has no call.
TEST_F(LingeringTest, AClientThatIsSilentAndHasNoCallIsNotWaitedFor) {
  start();
  connect();
  stop();
  advance(99ms);
  EXPECT_FALSE(has_stopped());

  advance(1ms);

  EXPECT_TRUE(has_stopped());
}

TEST_F(LingeringTest, AClientThatAnswersIsWaitedForEvenIfItHasNoCall) {
  start();
  connect();
  stop();
  peer_->say(frames::ping(ping_of_drain(), http2::frame_flag::ack));
  settle();
  ASSERT_TRUE(peer_->has_ended());
  EXPECT_FALSE(has_stopped()) << "its next words may be on their way";

  close_peer();

  EXPECT_TRUE(has_stopped());
}

TEST_F(LingeringTest, OneOfManyDoesNotHoldUpTheOthers) {
  start();
  FramePeer other(path(), FramePeer::passive);
  other.say_hello();
  other.ask_whole(1, hold, text_of("stop"));
  settle();

  stop_with_a_call();

  EXPECT_TRUE(other.has_ended());
  EXPECT_EQ(other.stream(1).field("grpc-status"), "0");
}

/// TCP answers what comes for a socket that is closed with RST, and what was still to be sent is
/// lost.
TEST_F(LingeringTest, ASlowReaderOverTcpGetsAllOfTheAnswerThatItHadBeforeTheStop) {
  const std::string large(40'000, 'x');
  service_.on_echo = [&large](ServerContext&, const Text&) -> Result<Text> {
    return text_of(large);
  };
  make(ServerOptions());
  server_->listen("ipv4:127.0.0.1:0", untrusted::anyone());
  begin();
  peer_.emplace(http2::Role::client,
                connect_tcp(server_->addresses().back(), /*receive_buffer=*/4096),
                FramePeer::passive);
  peer_->say_hello();
  peer_->ask_whole(1, echo);
  settle();

  stop();
  advance(100ms);
  peer_->say(frames::window_update(0, 1000));
  settle();
  peer_->say(frames::window_update(0, 1000));

  EXPECT_TRUE(peer_->hear_end());
  EXPECT_EQ(peer_->stream(1).body, framed(text_of(large)));
  EXPECT_EQ(peer_->stream(1).field("grpc-status"), "0");
  EXPECT_EQ(peer_->goaway(), http2::ErrorCode::no_error);
  close_peer();
  EXPECT_TRUE(has_stopped());
}

}  // namespace
}  // namespace nearcall::test
