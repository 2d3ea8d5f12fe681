// SPDX-License-Identifier: Apache-2.0
// ServerOptions::limits(): each budget, set to little, holds at what was set.
#include "server/manual_server.hpp"
#include "support/limit_set.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;
using http2::FrameType;
using http2::SettingId;
using http2::StreamId;
namespace flag = http2::frame_flag;

/// A server with the limits of the test, and one peer.
class ServerLimitsTest : public ManualServerTest {
 protected:
  ServerLimitsTest() {
    service_.on_echo = [this](ServerContext&, const Text& request) -> Result<Text> {
      ++echoes_;
      return request;
    };
    service_.on_chat = [this](Text&) { ++chats_; };
  }

  void start_with(const LimitSet& limits) {
    start(ServerOptions().limits(limits).drain_timeout(1h));
    peer_.emplace(path(), FramePeer::passive);
  }
  /// And past the handshake.
  void greet(const LimitSet& limits, std::initializer_list<http2::Setting> settings = {}) {
    start_with(limits);
    peer_->say_hello(settings);
    settle();
  }
  void says(std::string_view bytes) {
    peer_->say(bytes);
    settle();
  }
  void says_often(std::string_view bytes, int times) {
    std::string all;
    for (int i = 0; i < times; ++i)
      all += bytes;
    says(all);
  }
  /// `bytes` reach the limit, `one_more` goes beyond it.
  void expect_end_after(std::string_view bytes, std::string_view one_more, std::string_view name) {
    says(bytes);
    EXPECT_FALSE(peer_->has_ended()) << name << " is not exceeded yet";
    says(one_more);
    expect_ended(name);
  }
  void expect_ended(std::string_view name) {
    EXPECT_TRUE(peer_->has_ended()) << name;
    EXPECT_TRUE(log_capture().take(name));
  }
  void expect_end_at(std::chrono::nanoseconds timeout, std::string_view name) {
    advance(timeout - 1ns);
    EXPECT_FALSE(peer_->has_ended()) << name;
    advance(1ns);
    expect_ended(name);
  }
  /// The streams that were reset, with that code.
  std::size_t resets(ErrorCode code) {
    std::size_t count = 0;
    for (const HeardFrame& frame : peer_->heard(FrameType::rst_stream))
      count += frame.code() == code ? 1U : 0U;
    return count;
  }

  int echoes_ = 0;
  int chats_ = 0;
  std::optional<FramePeer> peer_;
};

std::string times(int count, const std::string& bytes) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += bytes;
  return all;
}

// ---- streams ------------------------------------------------------------------------------------

TEST_F(ServerLimitsTest, MaxConcurrentStreams) {
  greet({.max_concurrent_streams = 2});
  for (const StreamId id : {1U, 3U, 5U})
    peer_->ask_whole(id, hold);
  settle();

  EXPECT_EQ(resets(ErrorCode::refused_stream), 1U);
  EXPECT_EQ(peer_->heard_on(5).size(), 1U) << "the third";
}

TEST_F(ServerLimitsTest, MaxBufferedHeaders) {
  greet({.max_buffered_headers = 1024});
  for (const StreamId id : {1U, 3U, 5U, 7U, 9U, 11U, 13U})
    peer_->ask(id, chat);
  settle();

  const std::size_t refused = resets(ErrorCode::refused_stream);
  EXPECT_GE(refused, 1U);
  EXPECT_LE(refused, 4U);

  says(frames::headers(1, frames::block({{"x-check", "1"}}), flag::end_headers | flag::end_stream));
  ASSERT_FALSE(peer_->heard_on(1).empty());
  EXPECT_EQ(peer_->heard_on(1).back().header.type, FrameType::headers)
      << "trailers, of which nothing is kept, only end the request";
}

TEST_F(ServerLimitsTest, TenThousandCallsThatMayBeOpenAreNotRefusedForTheirHeaders) {
  constexpr StreamId calls = 10'000;
  greet({.max_concurrent_streams = calls});
  for (StreamId id = 1; id < 2 * calls; id += 2) {
    peer_->ask_whole(id, hold);
    if (id % 100 == 1) settle();  // the socket holds few small writes
  }
  settle();

  EXPECT_EQ(resets(ErrorCode::refused_stream), 0U);
  EXPECT_TRUE(service_.started.wait_for(calls));
}

TEST_F(ServerLimitsTest, MaxNewStreamsPerTurn) {
  greet({.max_new_streams_per_turn = 3});
  for (StreamId id = 1; id < 14; id += 2)
    peer_->ask_whole(id, echo);

  for (int before = 0, turns = 0; echoes_ < 7 && turns < 100; before = echoes_, ++turns) {
    loop_.poll();
    EXPECT_LE(echoes_ - before, 3);
  }
  EXPECT_EQ(echoes_, 7);
}

TEST_F(ServerLimitsTest, MaxResetsOutstanding) {
  greet({.max_resets_outstanding = 2});
  for (const StreamId id : {1U, 3U}) {
    peer_->ask_whole(id, hold, text_of("stop"));  // it does not listen
    says(frames::rst_stream(id, ErrorCode::cancel));
  }
  peer_->ask_whole(5, hold, text_of("stop"));

  expect_end_after({}, frames::rst_stream(5, ErrorCode::cancel), "max_resets_outstanding");
}

std::string malformed(StreamId id) {
  return frames::headers(id, frames::trailers_block());
}

TEST_F(ServerLimitsTest, MaxRefusals) {
  greet({.max_refusals = 2});

  expect_end_after(malformed(1) + malformed(3), malformed(5), "max_refusals");
}

TEST_F(ServerLimitsTest, RefusalsPerSecond) {
  greet({.max_refusals = 2, .refusals_per_second = 1});
  says(malformed(1) + malformed(3));
  advance(1s);

  expect_end_after(malformed(5), malformed(7), "max_refusals");
}

// ---- frames that we have to answer --------------------------------------------------------------

TEST_F(ServerLimitsTest, MaxInducedFrames) {
  constexpr std::uint32_t window = 8 * 1024 * 1024;
  greet({.max_induced_frames = 10, .min_ping_interval = 0s},
        {{SettingId::initial_window_size, window}});
  says(frames::window_update(0, window));
  service_.on_echo = [this](ServerContext&, const Text&) -> Result<Text> {
    return text_of(std::string(++echoes_ == 1 ? 3'500'000 : 1, 'x'));
  };
  peer_->ask_whole(1, echo);  // more than the socket holds, for a peer that does not read
  says(times(9, frames::ping("12345678")));
  peer_->ask_whole(3, echo);
  settle();
  EXPECT_EQ(echoes_, 2);

  says(frames::ping("12345678"));
  peer_->ask_whole(5, echo);
  settle();
  EXPECT_EQ(echoes_, 2) << "reading stops";

  for (int round = 0; round < 1000 && echoes_ < 3; ++round) {
    peer_->listen();
    settle();
  }
  EXPECT_EQ(echoes_, 3) << "and goes on when the answers are read";
}

TEST_F(ServerLimitsTest, MaxInducedFramesEver) {
  greet({.max_induced_frames = 10,
         .max_induced_frames_ever = 20,
         .min_ping_interval_without_calls = 0s});

  expect_end_after(times(20, frames::ping("12345678")), times(21, frames::ping("12345678")),
                   "max_induced_frames_ever");
}

// ---- headers ------------------------------------------------------------------------------------

TEST_F(ServerLimitsTest, MaxHeaderListSize) {
  greet({.max_header_list_size = 1024});
  const std::string large = frames::block({{"x", std::string(1000, 'v')}});
  says(frames::headers(1, frames::request_block() + large));

  EXPECT_EQ(resets(ErrorCode::enhance_your_calm), 1U);
  const std::string settings = peer_->heard(FrameType::settings).front().payload;
  EXPECT_NE(settings.find(std::string("\0\6", 2) + frames::be32(1024)), std::string::npos);
}

TEST_F(ServerLimitsTest, MaxHeaderFields) {
  greet({.max_header_fields = 16});
  const std::string ten = frames::request_block() + times(10, frames::block({{"x", "y"}}));
  says(frames::headers(1, ten));
  EXPECT_EQ(resets(ErrorCode::enhance_your_calm), 0U);

  says(frames::headers(3, ten + frames::block({{"x", "y"}})));

  EXPECT_EQ(resets(ErrorCode::enhance_your_calm), 1U);
}

TEST_F(ServerLimitsTest, MaxHeaderBlockSize) {
  greet({.max_header_list_size = 1024, .max_header_block_size = 2048});
  const std::string piece = frames::block({{"x", std::string(1000, 'v')}});

  expect_end_after(frames::headers(1, piece), frames::headers(3, piece + piece + piece),
                   "max_header_block_size");
}

/// A request whose metadata is one joined value on the wire, and 100 entries in memory.
std::string request_of_commas(StreamId id) {
  return frames::headers(id, frames::block({{":method", "POST"},
                                            {":scheme", "http"},
                                            {":path", hold},
                                            {"te", "trailers"},
                                            {"content-type", "application/grpc"},
                                            {"any-bin", std::string(99, ',')}}));
}

TEST_F(ServerLimitsTest, MaxBufferedHeadersCountsJoinedValuesApart) {
  constexpr std::uint32_t entries = 100 * (7 + 32);
  greet({.max_buffered_headers = 20 * entries});
  for (StreamId id = 1; id < 60; id += 2)
    says(request_of_commas(id));

  EXPECT_EQ(resets(ErrorCode::refused_stream), 10U);
}

TEST_F(ServerLimitsTest, MaxContinuations) {
  greet({.max_header_list_size = 1024, .max_header_block_size = 2048, .max_continuations = 1});

  expect_end_after(frames::headers(1, frames::request_block(), 0) + frames::continuation(1, "", 0),
                   frames::continuation(1, ""), "max_continuations");
}

TEST_F(ServerLimitsTest, MaxSettingsEntries) {
  greet({.max_settings_entries = 16});
  const std::string entry =
      frames::settings({{SettingId::max_header_list_size, 1 << 20}}).substr(9);

  expect_end_after(frames::raw(FrameType::settings, 0, 0, times(16, entry)),
                   frames::raw(FrameType::settings, 0, 0, times(17, entry)),
                   "max_settings_entries");
}

// ---- DATA without use ---------------------------------------------------------------------------

TEST_F(ServerLimitsTest, MaxEmptyData) {
  greet({.max_empty_data = 3});
  peer_->ask(1, echo);

  expect_end_after(times(3, frames::data(1, "")), frames::data(1, ""), "max_empty_data");
}

TEST_F(ServerLimitsTest, MaxOverheadFrames) {
  greet({.max_overhead_frames = 100});

  expect_end_after(times(100, frames::priority(1, 3)), frames::priority(1, 3),
                   "max_overhead_frames");
}

TEST_F(ServerLimitsTest, TinyPayload) {
  greet({.max_overhead_frames = 100, .tiny_payload = 2});
  peer_->ask(1, echo);
  says(frames::data(1, std::string(1, '\0') + frames::be32(10'000)));

  expect_end_after(times(200, frames::data(1, "xx")), times(101, frames::data(1, "x")),
                   "max_overhead_frames");
}

// ---- memory -------------------------------------------------------------------------------------

TEST_F(ServerLimitsTest, MaxBufferedInput) {
  constexpr std::size_t budget = 200 * 1024;
  greet({.max_concurrent_streams = 10, .max_buffered_input = budget});

  std::size_t window = http2::default_setting::initial_window_size;
  for (const HeardFrame& frame : peer_->heard(FrameType::window_update))
    window += frame.header.stream == 0 ? frame.number_at(0) : 0;

  EXPECT_LE(window, budget);
  EXPECT_GT(window, budget / 2);
}

/// With a closed window: how many messages a handler takes that answers each.
class ServerOutputLimitsTest : public ServerLimitsTest {
 protected:
  int chats_with(const LimitSet& limits) {
    greet(limits, {{SettingId::initial_window_size, 0}});
    peer_->ask(1, chat);
    says(times(5, frames::data(1, framed(text_of("a message")))));
    return chats_;
  }
};

TEST_F(ServerOutputLimitsTest, MaxBufferedOutputOfAStream) {
  EXPECT_EQ(chats_with({.max_buffered_output_stream = 30}), 3) << "two reach it, the third waits";
}

TEST_F(ServerOutputLimitsTest, MaxBufferedOutput) {
  EXPECT_EQ(chats_with({.max_buffered_output = 30}), 2) << "two reach it, the third is not read";
  EXPECT_TRUE(log_capture().take("(max_buffered_output)"));
}

/// Many calls, each with a closed window, and each asked for one message of a thousand bytes.
class CrowdOfChatsTest : public ServerOutputLimitsTest {
 protected:
  CrowdOfChatsTest() {
    greet({.max_buffered_output = 3'000, .max_buffered_output_of_new_calls = 10'000},
          {{SettingId::initial_window_size, 0}});
    for (StreamId id = 1; id < 2 * crowd; id += 2)
      peer_->ask(id, chat);
    settle();
    says(requests());
    EXPECT_TRUE(log_capture().take("(max_buffered_output)"));
  }

  /// In one piece, so that they come in one turn.
  static std::string requests() {
    std::string all;
    for (StreamId id = 1; id < 2 * crowd; id += 2)
      all += request(id);
    return all;
  }
  static std::string request(StreamId id) {
    return frames::data(id, framed(text_of(std::string(1'000, 'x'))));
  }

  static constexpr StreamId crowd = 30;
};

TEST_F(CrowdOfChatsTest, NoHandlerMakesAMessageOnceTheBudgetIsUsedUp) {
  EXPECT_EQ(chats_, 3);
}

TEST_F(CrowdOfChatsTest, WhoWaitsIsServedInTheOrderOfComing) {
  says(frames::window_update(1, 100'000));

  EXPECT_EQ(chats_, 4);
  says(frames::window_update(7, 100'000));
  EXPECT_FALSE(peer_->heard_on(7).empty()) << "the fourth";
  EXPECT_EQ(chats_, 5);
  EXPECT_TRUE(peer_->heard_on(11).empty()) << "the sixth is not next";
}

TEST_F(CrowdOfChatsTest, ACallWhoseWindowIsOpenGoesOn) {
  says(frames::window_update(59, 100'000));

  EXPECT_EQ(chats_, 4);
  EXPECT_EQ(peer_->heard_on(59).size(), 2U) << "headers and its message";
}

TEST_F(CrowdOfChatsTest, ACallThatIsNotWaitedForGivesItsTurnAway) {
  says(frames::rst_stream(7, ErrorCode::cancel));
  says(frames::window_update(1, 100'000));

  EXPECT_EQ(chats_, 4);
  says(frames::window_update(9, 100'000));
  EXPECT_EQ(peer_->heard_on(9).size(), 2U) << "headers and its message";
}

TEST_F(CrowdOfChatsTest, TheEndOfRequestsIsToldWhenThoseBeforeItWereRead) {
  says(frames::data(7, "", flag::end_stream));
  says(frames::window_update(7, 100'000));

  EXPECT_EQ(chats_, 4);
  EXPECT_EQ(peer_->heard_on(7).back().header.flags & flag::end_stream, flag::end_stream);
}

TEST_F(CrowdOfChatsTest, NewCallsWaitToo) {
  const int before = chats_;
  peer_->ask(61, chat);
  says(request(61));
  EXPECT_EQ(chats_, before);

  says(frames::rst_stream(1, ErrorCode::cancel) + frames::rst_stream(3, ErrorCode::cancel) +
       frames::rst_stream(5, ErrorCode::cancel));

  EXPECT_EQ(chats_, before + 3);
}

TEST_F(ServerOutputLimitsTest, OpenWindowsOfStreamsLetHandlersMakeMessagesUpToThatOfNewCalls) {
  greet({.max_buffered_output = 3'000, .max_buffered_output_of_new_calls = 10'000},
        {{SettingId::initial_window_size, 1 << 20}});
  peer_->ask(1, chat);
  const std::string large = framed(text_of(std::string(65'600, 'x')));
  for (std::size_t at = 0; at < large.size(); at += 16'000)
    says(frames::data(1, std::string_view(large).substr(at, 16'000)));
  EXPECT_EQ(chats_, 1) << "it uses the connection's window up";

  constexpr StreamId last = 61;
  std::string requests;
  for (StreamId id = 3; id <= last; id += 2) {
    peer_->ask(id, chat);
    requests += frames::data(id, framed(text_of(std::string(1'000, 'x'))));
  }
  settle();
  says(requests);

  EXPECT_EQ(chats_, 1 + 10);
  EXPECT_TRUE(log_capture().take("(max_buffered_output)"));
  says(frames::window_update(0, 1 << 20));
  EXPECT_EQ(chats_, 1 + 30) << "all go on";
}

TEST_F(ServerOutputLimitsTest, NothingBufferedStillLetsOneCallQueueOneMessage) {
  EXPECT_EQ(chats_with({.max_buffered_output_stream = 0, .max_buffered_output = 0}), 1);
  EXPECT_TRUE(log_capture().take("(max_buffered_output)"));

  says(frames::window_update(1, 1'000));
  EXPECT_EQ(chats_, 5) << "it goes on when its window opens";
}

TEST_F(ServerOutputLimitsTest, CallsThatWaitForTheirOwnClientLeaveThePlacesOfOthersFree) {
  const LimitSet limits = {.max_buffered_output = 0, .max_buffered_output_of_new_calls = 1024};
  start(ServerOptions().limits(limits).max_concurrent_calls(1).drain_timeout(1h));
  peer_.emplace(path(), FramePeer::passive);
  peer_->say_hello({{SettingId::initial_window_size, 0}});
  for (const StreamId id : {1U, 3U, 5U}) {
    peer_->ask_whole(id, echo, text_of(std::string(900, 'x')));
    settle();
  }
  EXPECT_EQ(echoes_, 2) << "1,800 bytes wait, and the third call for them";
  EXPECT_TRUE(log_capture().take("max_buffered_output_of_new_calls"));

  FramePeer other(path(), FramePeer::passive);
  other.say_hello();
  settle();
  other.ask_whole(1, echo);
  settle();

  EXPECT_EQ(echoes_, 3);
  says(frames::window_update(1, 10'000));
  EXPECT_EQ(echoes_, 4) << "it has a place once there is room";
}

TEST_F(ServerOutputLimitsTest, MaxBufferedOutputOfNewCalls) {
  greet({.max_buffered_output = 0, .max_buffered_output_of_new_calls = 1024},
        {{SettingId::initial_window_size, 0}});
  peer_->ask_whole(1, echo, text_of(std::string(900, 'x')));
  peer_->ask_whole(3, echo, text_of(std::string(900, 'x')));
  settle();
  peer_->ask_whole(5, echo);
  settle();
  EXPECT_EQ(echoes_, 2) << "1,800 bytes wait";
  EXPECT_TRUE(log_capture().take("max_buffered_output_of_new_calls"));

  says(frames::window_update(1, 10'000));

  EXPECT_EQ(echoes_, 3);
}

TEST_F(ServerOutputLimitsTest, MaxSentHeaderListSize) {
  service_.on_echo = [](ServerContext&, const Text&) -> Result<Text> {
    return Failure{Status::aborted(std::string(5'000, 'x'))};
  };
  greet({.max_sent_header_list_size = 2048});
  peer_->ask_whole(1, echo);
  settle();

  const std::vector<HeardFrame> answer = peer_->heard_on(1);
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_LT(answer[0].payload.size(), 2048U);
  EXPECT_TRUE(log_capture().take("max_sent_header_list_size"));
}

// ---- time ---------------------------------------------------------------------------------------

TEST_F(ServerLimitsTest, HandshakeTimeout) {
  start_with({.handshake_timeout = 700ms});
  settle();

  expect_end_at(700ms, "handshake_timeout");
}

TEST_F(ServerLimitsTest, HeaderBlockTimeout) {
  greet({.header_block_timeout = 700ms});
  says(frames::headers(1, frames::request_block(), 0));

  expect_end_at(700ms, "header_block_timeout");
}

TEST_F(ServerLimitsTest, SettingsTimeout) {
  start_with({.settings_timeout = 700ms});
  says(frames::preface() + frames::settings());
  peer_->ask_whole(1, hold);
  settle();

  expect_end_at(700ms, "settings_timeout");
}

TEST_F(ServerLimitsTest, StallTimeout) {
  greet({.stall_timeout = 700ms}, {{SettingId::initial_window_size, 0}});
  peer_->ask_whole(1, echo, text_of("hello"));
  settle();
  stop();
  advance(100ms);  // the second GOAWAY is progress

  expect_end_at(700ms, "stall_timeout");
}

TEST_F(ServerLimitsTest, ATimeoutOfForeverNeverEnds) {
  constexpr auto forever = std::chrono::nanoseconds::max();
  start_with({.handshake_timeout = forever});
  settle();

  advance(24h * 365);

  EXPECT_FALSE(peer_->has_ended());
}

}  // namespace
}  // namespace nearcall::test
