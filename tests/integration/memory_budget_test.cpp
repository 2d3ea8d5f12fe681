// SPDX-License-Identifier: Apache-2.0
// Peers that make a server keep bytes: within the budgets, while others are served at full speed.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"
#include "support/attack_frames.hpp"

#include <chrono>
#include <functional>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::SettingId;
using http2::StreamId;
namespace flag = http2::frame_flag;

class MemoryBudget : public ServerProcessTest {
 protected:
  void SetUp() override {
    ServerProcessTest::SetUp();
    ASSERT_TRUE(serves());
    memory_before_ = resident_bytes(server_.pid());
  }
  std::size_t memory_growth() {
    const std::size_t now = resident_bytes(server_.pid());
    const std::size_t growth = now > memory_before_ ? now - memory_before_ : 0;
    RecordProperty("memory_growth_kib", static_cast<int>(growth / 1024));
    return growth;
  }
  void expect_growth_below(std::size_t limit) {
    const std::size_t growth = memory_growth();
    if (!is_sanitized) {
      EXPECT_LE(growth, limit);
    }
  }
  /// Honest calls, one after the other, on a connection of their own: how long they take.
  std::chrono::duration<double> time_of_honest_calls() {
    Channel channel(server_.target());
    const Echo::Client echo(channel);
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 2'000; ++i) {
      const Result<EchoReply> reply =
          echo.Unary(request_of("honest"), CallOptions().timeout(std::chrono::seconds(20)));
      EXPECT_TRUE(reply.ok()) << reply.status().to_string();
      if (!reply.ok()) break;
    }
    return std::chrono::steady_clock::now() - begin;
  }

  std::size_t memory_before_ = 0;
};

std::string asking_for(unsigned replies, unsigned size) {
  EchoRequest request;
  request.set_replies(replies);
  request.set_reply_size(size);
  return request.SerializeAsString();
}

TEST_F(MemoryBudget, OfAPeerThatStopsReadingHoldsItsStreamsAndNobodyElse) {
  const auto alone = time_of_honest_calls();
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet());
  std::string calls;
  for (StreamId id = 1; id < 200; id += 2)
    calls += whole_call(id, expand_path, asking_for(100'000, 10'000));

  peer.say_deaf(calls);

  const auto beside = time_of_honest_calls();
  expect_growth_below(4 * mebibyte + 4 * mebibyte);
  EXPECT_LT(beside.count(), 5 * alone.count() + 0.5);
}

TEST_F(MemoryBudget, OfOneHundredCallsAndAWindowOfZeroIsThatOfTheOutput) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet({{SettingId::initial_window_size, 0}}));
  std::string calls;
  for (StreamId id = 1; id < 200; id += 2)
    calls += whole_call(id, expand_path, asking_for(100'000, 16'000));

  EXPECT_TRUE(peer.say(calls));
  EXPECT_TRUE(peer.hear_until([&] { return peer.streams().size() >= 4; })) << "1 MiB each";

  time_of_honest_calls();
  expect_growth_below(4 * mebibyte + 16'000 + 4 * mebibyte);
}

TEST_F(MemoryBudget, OfOneHundredLargeRepliesAndAWindowOfZeroIsThatOfTheOutput) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet({{SettingId::initial_window_size, 0}}));
  std::string calls;
  for (StreamId id = 1; id < 200; id += 2)
    calls += whole_call(id, unary_path, asking_for(0, 4'000'000));

  EXPECT_TRUE(peer.say(calls));

  time_of_honest_calls();
  expect_growth_below(64 * mebibyte);
}

TEST_F(MemoryBudget, OfAThousandMessagesWithoutTheirLastByteIsThatOfTheInput) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet());
  EchoRequest request;
  request.set_payload(std::string(60'000, 'x'));
  const std::string body = framed(request.SerializeAsString());
  const std::string_view most = std::string_view(body).substr(0, body.size() - 1);
  std::string calls;
  for (StreamId id = 1; id < 2'000; id += 2) {
    calls += frames::headers(id, frames::request_block(unary_path));
    for (std::size_t at = 0; at < most.size(); at += 16'384)
      calls += frames::data(id, most.substr(at, 16'384));
  }
  peer.hear_until([&] { return peer.frames_heard(http2::FrameType::window_update) > 0; });

  // What it says beyond the window ends the connection; so it says what the window allows.
  peer.say(std::string_view(calls).substr(0, 15 * mebibyte));

  const auto beside = time_of_honest_calls();
  expect_growth_below(16 * mebibyte + 8 * mebibyte);
  EXPECT_LT(beside.count(), 10.0);
  peer.say(calls);
}

TEST_F(MemoryBudget, OfRequestsOfTheSmallestFieldsIsWhatHandlersMayHold) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet());
  EchoRequest request;
  request.set_wait_for_cancel(true);
  const std::string body = framed(request.SerializeAsString() + small_fields(70'000));
  std::string calls;
  for (StreamId id = 1; id < 2 * 170; id += 2) {
    calls += frames::headers(id, frames::request_block(unary_path));
    for (std::size_t at = 0; at < body.size(); at += 16'384) {
      const bool is_last = at + 16'384 >= body.size();
      calls += frames::data(id, body.substr(at, 16'384), is_last ? flag::end_stream : 0);
    }
  }
  peer.hear_until([&] { return peer.frames_heard(http2::FrameType::window_update) > 0; });

  EXPECT_TRUE(peer.say(calls));

  time_of_honest_calls();
  expect_growth_below((64 + 64 / 3 + 16 + 8) * mebibyte);
}

TEST_F(MemoryBudget, OfAThousandAnnouncedMessagesIsNotWhatWasAnnounced) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet());
  std::string calls;
  for (StreamId id = 1; id < 2'000; id += 2) {
    calls += frames::headers(id, frames::request_block(unary_path)) +
             frames::data(id, std::string(1, '\0') + frames::be32(4'000'000) + "x");
  }

  EXPECT_TRUE(peer.say(calls));

  time_of_honest_calls();
  expect_growth_below(16 * mebibyte);
}

TEST_F(MemoryBudget, OfAThousandCallsThatNeverSayAnythingIsSmall) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet());
  std::string calls;
  for (StreamId id = 1; id < 2'000; id += 2)
    calls += frames::headers(id, frames::request_block(chat_path));

  EXPECT_TRUE(peer.say(calls));

  time_of_honest_calls();
  expect_growth_below(8 * mebibyte);
}

/// Bytes that a peer says, if the server takes them.
constexpr std::size_t said_at_most = 5'800'000;

TEST_F(MemoryBudget, OfRejectionsThatNobodyReadsIsThatOfTheOutput) {
  FramePeer peer(server_.path());
  peer.say_hello();
  std::string requests;
  for (StreamId n = 0; requests.size() < said_at_most; ++n)
    requests += frames::request_for_nothing(n);

  const std::size_t taken = peer.say_deaf(requests);

  time_of_honest_calls();
  expect_growth_below(32 * mebibyte);
  EXPECT_LT(taken, requests.size()) << "it stops reading";
}

TEST_F(MemoryBudget, OfTrailersThatNobodyReadsIsThatOfTheOutput) {
  FramePeer peer(server_.path());
  peer.say_hello();
  const std::string block = frames::late_block(chat_path);
  std::string calls;
  for (StreamId n = 0; calls.size() < said_at_most; ++n)
    calls += frames::headers(frames::nth_stream(n), block);

  const std::size_t taken = peer.say_deaf(calls);

  time_of_honest_calls();
  expect_growth_below(32 * mebibyte);
  EXPECT_LT(taken, calls.size()) << "it stops reading";
}

TEST_F(MemoryBudget, OfAThousandChatsThatOweAMegabyteEachIsThatOfTheOutputAndOneMessage) {
  FramePeer peer(server_.path());
  ASSERT_TRUE(peer.greet({{SettingId::initial_window_size, 0}}));
  std::string chats;
  std::string requests;
  for (StreamId n = 0; n < 1000; ++n) {
    chats += frames::headers(frames::nth_stream(n), frames::request_block(chat_path));
    requests += frames::data(frames::nth_stream(n), framed(asking_for(1, 1'000'000)));
  }
  EXPECT_TRUE(peer.say(chats));
  time_of_honest_calls();

  EXPECT_TRUE(peer.say(requests));

  time_of_honest_calls();
  constexpr std::size_t of_the_calls = 8 * mebibyte;
  expect_growth_below(4 * mebibyte + 1'000'000 + of_the_calls);
}

class MemoryOfCommas : public MemoryBudget {
 protected:
  /// A thousand calls whose headers end with these fields.
  void call(const std::function<std::string(StreamId)>& fields) {
    ASSERT_TRUE(peer_.greet());
    std::string calls;
    for (StreamId n = 0; n < 1000; ++n) {
      calls += frames::block_in_frames(frames::nth_stream(n),
                                       frames::request_block(chat_path) + fields(n));
    }
    EXPECT_TRUE(peer_.say(calls));
    time_of_honest_calls();
  }

 private:
  FramePeer peer_{server_.path()};
};

TEST_F(MemoryOfCommas, ThatAreSaidIsTwoMebibytesAtMost) {
  call([](StreamId) { return frames::commas(8000); });

  expect_growth_below(2 * mebibyte);
}

TEST_F(MemoryOfCommas, ThatTheTableHoldsIsTwoMebibytesAtMost) {
  call([](StreamId n) { return frames::commas_of_table(n == 0); });

  expect_growth_below(2 * mebibyte);
}

}  // namespace
}  // namespace nearcall::test
