// SPDX-License-Identifier: Apache-2.0
// Floods: the connection ends with the right code or is slowed down, memory stays, others are
// served.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"

#include <chrono>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::ErrorCode;
using http2::FrameType;
using http2::StreamId;
namespace flag = http2::frame_flag;

constexpr StreamId many = is_sanitized ? 5'000 : 50'000;

/// What a flood may cost: the scratch buffers of a connection, the allocator's slack.
constexpr std::size_t slack = 4 * mebibyte;

class Flood : public ServerProcessTest {
 protected:
  explicit Flood(const ServerSetup& setup = ServerSetup()) : ServerProcessTest(setup) {}
  void SetUp() override {
    ServerProcessTest::SetUp();
    ASSERT_TRUE(serves());
    memory_before_ = resident_bytes(server_.pid());
    ASSERT_TRUE(peer_.greet());
  }
  /// Says it again and again, `times` or until the server closes.
  void say_often(std::string_view bytes, std::size_t times) {
    std::string block;
    while (block.size() < 64'000 && times > 0) {
      block += bytes;
      --times;
    }
    const std::size_t in_block = block.size() / bytes.size();
    bool is_open = peer_.say(block);
    for (; is_open && times >= in_block; times -= in_block)
      is_open = peer_.say(block);
  }
  void expect_end(ErrorCode code) {
    EXPECT_TRUE(peer_.hear_end());
    ASSERT_TRUE(peer_.goaway()) << "closed without a GOAWAY";
    EXPECT_EQ(to_string(*peer_.goaway()), to_string(code)) << peer_.goaway_text();
  }
  std::size_t memory_growth() {
    const std::size_t now = resident_bytes(server_.pid());
    const std::size_t growth = now > memory_before_ ? now - memory_before_ : 0;
    RecordProperty("memory_growth_kib", static_cast<int>(growth / 1024));
    return growth;
  }
  void expect_unharmed(std::size_t allowed = slack) {
    if (!is_sanitized) {
      EXPECT_LE(memory_growth(), allowed);
    }
    EXPECT_TRUE(serves());
  }

  FramePeer peer_{server_.path()};
  std::size_t memory_before_ = 0;
};

TEST_F(Flood, OfResetsRightAfterTheRequestsRunsNoMoreHandlersThanThereAreSlots) {
  std::string bytes;
  for (StreamId id = 1; id < 2 * many; id += 2) {
    bytes += frames::headers(id, frames::request_block(chat_path)) +
             frames::rst_stream(id, ErrorCode::cancel);
  }

  peer_.say(bytes);

  expect_unharmed();
}

TEST_F(Flood, OfResetsOfCallsWhoseHandlersWaitLeavesAllOfThemCancelled) {
  EchoRequest waiting;
  waiting.set_wait_for_cancel(true);
  const std::string message = waiting.SerializeAsString();
  std::string bytes;
  for (StreamId id = 1; id < 2 * many; id += 2) {
    bytes += whole_call(id, unary_path, message) + frames::rst_stream(id, ErrorCode::cancel);
  }

  peer_.say(bytes);

  EXPECT_TRUE(server_.has_cancelled());
  expect_unharmed();
}

TEST_F(Flood, OfResetsOfCallsWhoseHandlersDoNotListenEndsTheConnection) {
  EchoRequest deaf;
  deaf.set_wait_for_stop(true);
  const std::string message = deaf.SerializeAsString();
  std::string bytes;
  for (StreamId id = 1; id < 2 * many; id += 2) {
    bytes += whole_call(id, unary_path, message) + frames::rst_stream(id, ErrorCode::cancel);
  }

  peer_.say(bytes);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfRequestsThatMakeUsResetThemIsHeldToTheRefusals) {
  std::string bytes;  // MadeYouReset: WINDOW_UPDATE by 0 on a stream that is good so far
  for (StreamId id = 1; id < 2 * many; id += 2) {
    bytes += frames::headers(id, frames::request_block(chat_path)) + frames::window_update(id, 0);
  }

  peer_.say(bytes);

  expect_unharmed();
}

TEST_F(Flood, OfRequestsThatAreRefusedEndsTheConnection) {
  std::string bytes;
  for (StreamId id = 1; id < 2 * many; id += 2)
    bytes += frames::headers(id, frames::block({{":method", "POST"}}), flag::end_headers);

  peer_.say(bytes);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfPingsEndsTheConnection) {
  say_often(frames::ping("flooding"), many);

  expect_end(ErrorCode::enhance_your_calm);
  EXPECT_EQ(peer_.goaway_text(), "too_many_pings");
  expect_unharmed();
}

/// A server that lets clients ping as they like.
class PingFlood : public Flood {
 protected:
  PingFlood() : Flood(setup()) {}
  static ServerSetup setup() {
    ConnectionLimits limits;
    limits.min_ping_interval_without_calls = std::chrono::nanoseconds::zero();
    ServerSetup setup;
    setup.options.limits(limits);
    return setup;
  }
};

TEST_F(PingFlood, FromAPeerThatReadsIsAnswered) {
  say_often(frames::ping("flooding"), many);

  EXPECT_TRUE(peer_.hear_until([this] { return peer_.frames_heard(FrameType::ping) >= many / 2; }));
  expect_unharmed();
}

TEST_F(PingFlood, FromAPeerThatDoesNotReadStopsTheReading) {
  std::string bytes;
  for (int i = 0; i < 1'000'000; ++i)
    bytes += frames::ping("flooding");

  const std::size_t taken = peer_.say_deaf(bytes);

  EXPECT_LT(taken, 2 * mebibyte) << "of " << bytes.size();
  expect_unharmed();
}

TEST_F(Flood, OfSettingsFromAPeerThatDoesNotReadStopsTheReading) {
  std::string bytes;
  for (int i = 0; i < 500'000; ++i)
    bytes += frames::settings({{http2::SettingId::initial_window_size, 65'535}});

  const std::size_t taken = peer_.say_deaf(bytes);

  EXPECT_LT(taken, 2 * mebibyte) << "of " << bytes.size();
  expect_unharmed();
}

TEST_F(Flood, OfSettingsInOneFrameEndsTheConnection) {
  std::string entries;
  for (int i = 0; i < 33; ++i)
    entries += std::string("\x00\x04\x00\x00\xff\xff", 6);

  peer_.say(frames::raw(FrameType::settings, 0, 0, entries));

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfContinuationsEndsTheConnection) {
  std::string bytes = frames::headers(1, frames::request_block(unary_path), 0);
  for (int i = 0; i < 100'000; ++i)
    bytes += frames::continuation(1, "", 0);

  peer_.say(bytes);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfLargeContinuationsEndsTheConnection) {
  const std::string piece(16'384, '\0');
  std::string bytes = frames::headers(1, frames::request_block(unary_path), 0);
  for (int i = 0; i < 1000; ++i)
    bytes += frames::continuation(1, piece, 0);

  peer_.say(bytes);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfReferencesToOneLargeHeaderIsRefusedAsTooLarge) {
  // A field of 3,900 bytes goes to the dynamic table; then one byte each refers to it.
  std::string bomb = frames::request_block(unary_path);
  bomb += std::string("\x40\x01x", 3) + std::string("\x7f\xbd\x1d", 3) + std::string(3900, 'a');
  bomb += std::string(16'000, '\xbe');
  std::string bytes;
  for (StreamId id = 1; id < 200; id += 2)
    bytes += frames::headers(id, bomb, flag::end_headers | flag::end_stream);

  peer_.say(bytes);

  EXPECT_EQ(peer_.hear(1).reset, ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfHeadersOfNoLengthIsRefusedAsTooMany) {
  std::string block = frames::request_block(unary_path);
  for (int i = 0; i < 5'000; ++i)
    block += std::string("\x00\x01x\x00", 4);

  peer_.say(frames::headers(1, block.substr(0, 16'000), flag::end_stream) +
            frames::continuation(1, block.substr(16'000)));

  EXPECT_TRUE(peer_.hear(1).reset);
  expect_unharmed();
}

TEST_F(Flood, OfHeadersWithEmptyNamesIsRefused) {
  std::string block = frames::request_block(unary_path);
  for (int i = 0; i < 100; ++i)
    block += std::string("\x00\x00\x00", 3);

  peer_.say(frames::headers(1, block, flag::end_headers | flag::end_stream));

  EXPECT_TRUE(peer_.hear(1).reset);
  expect_unharmed();
}

TEST_F(Flood, OfEmptyDataEndsTheConnection) {
  peer_.say(frames::headers(1, frames::request_block(collect_path)));

  say_often(frames::data(1, ""), many);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfPaddingAloneEndsTheConnection) {
  peer_.say(frames::headers(1, frames::request_block(collect_path)));

  say_often(frames::padded_data(1, "", 0), 20'000);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfMessagesInPiecesOfOneByteEndsTheConnection) {
  EchoRequest request;
  request.set_payload(std::string(100'000, 'x'));
  const std::string body = framed(request.SerializeAsString());
  std::string bytes = frames::headers(1, frames::request_block(collect_path));
  for (const char byte : body)
    bytes += frames::data(1, std::string_view(&byte, 1));

  peer_.say(bytes);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfPrioritiesEndsTheConnection) {
  say_often(frames::priority(1, 3), 20'000);

  expect_end(ErrorCode::enhance_your_calm);
  expect_unharmed();
}

TEST_F(Flood, OfUnknownFramesCostsNothing) {
  say_often(frames::raw(static_cast<FrameType>(0xee), 0, 1, "unknown"), many);
  say_often(frames::raw(static_cast<FrameType>(0xee), 0, 0, std::string(1'000'000, 'x')),
            is_sanitized ? 5 : 50);

  expect_unharmed();
}

TEST_F(Flood, OfWindowUpdatesOnAFullWindowResetsTheStream) {
  peer_.say(frames::headers(1, frames::request_block(collect_path)));

  say_often(frames::window_update(1, 1), many);  // its window is full already

  EXPECT_EQ(peer_.hear(1).reset, ErrorCode::flow_control_error);
  expect_unharmed();
}

TEST_F(Flood, OfConnectionsLeavesRoomForTheNextOne) {
  for (int i = 0; i < (is_sanitized ? 200 : 2'000); ++i) {
    FramePeer other(server_.path());
    other.say(frames::preface());
  }

  expect_unharmed();
}

}  // namespace
}  // namespace nearcall::test
