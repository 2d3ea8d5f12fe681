// SPDX-License-Identifier: Apache-2.0
// LoopDriver: peers that have always more to say, and what they leave of a loop's turns to others.
#include "connection/loop_driver.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/session_pair.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/testing/manual_clock.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

SocketPair make_ends() {
  Result<SocketPair> pair = make_socketpair();
  EXPECT_TRUE(pair.ok());
  return *std::move(pair);
}

/// Requests of one peer, and one request of another that comes in their midst.
class FloodTest : public testing::Test {
 protected:
  explicit FloodTest(SpinPolicy spin = SpinPolicy::off()) : loop_(spin) {}

  static std::string requests(int count) {
    http2::Session client(http2::Role::client, http2::SessionOptions(), SteadyClock::now());
    std::string preface = test::take_output(client);
    const std::string settings =
        test::frames::settings({{http2::SettingId::max_concurrent_streams, 1000}});
    client.receive(as_bytes(settings), SteadyClock::now());
    while (!http2::is_none(client.next_event())) {
    }
    for (int i = 0; i < count; ++i) {
      client.open_stream(test::request_head(), {}, /*end_stream=*/true, nullptr);
    }
    return preface + test::take_output(client);
  }

  EventLoop loop_;
};

/// Counts requests, and answers none: those that go on are reset.
class Counter final : public PumpHandler {
 public:
  Counter(EventLoop& loop, std::unique_ptr<Transport> transport)
      : pump_(std::move(transport),
              http2::Role::server,
              http2::SessionOptions(),
              *this,
              SteadyClock::now()),
        driver_(Access::core(loop), pump_) {}

  void start() { driver_.start(); }
  void on_event(const http2::Event& event) override {
    const auto* const headers = std::get_if<http2::HeadersEvent>(&event);
    if (headers == nullptr) return;
    ++count;
    if (!headers->end_stream) {
      pump_.session().reset_stream(*headers->stream, http2::ErrorCode::cancel);
      pump_.session().release(*headers->stream);
    }
    on_request();
  }
  void on_end(EndReason /*reason*/, std::string_view /*what*/) override { driver_.stop(); }

  int count = 0;
  std::function<void()> on_request = [] {};

 private:
  Pump pump_;
  LoopDriver driver_;
};

void serve_one_among(EventLoop& loop, const std::string& flood, const std::string& request) {
  constexpr int sent_after = 40;
  constexpr int streams_per_turn = ConnectionLimits().max_new_streams_per_turn;
  auto [flooding, flooded] = make_ends();
  auto [modest, served] = make_ends();
  Counter victim(loop, std::move(flooded));
  Counter other(loop, std::move(served));
  int flood_when_served = 0;
  victim.on_request = [&, &modest = modest] {
    if (victim.count == sent_after) {
      ASSERT_TRUE(test::write_all(*modest, request));
    }
    if (victim.count == 1000) loop.stop();
  };
  other.on_request = [&] { flood_when_served = victim.count; };
  victim.start();
  other.start();
  loop.poll();
  ASSERT_TRUE(test::write_all(*flooding, flood));

  loop.run();

  EXPECT_EQ(victim.count, 1000);
  EXPECT_EQ(other.count, 1);
  EXPECT_GE(flood_when_served, sent_after);
  EXPECT_LE(flood_when_served, sent_after + streams_per_turn);
}

TEST_F(FloodTest, OthersAreServedWithinThirtyTwoRequestsOfAFlood) {
  serve_one_among(loop_, requests(1000), requests(1));
}

class SpinningFloodTest : public FloodTest {
 protected:
  SpinningFloodTest() : FloodTest(SpinPolicy::adaptive()) {}
};

TEST_F(SpinningFloodTest, OthersAreServedWithinThirtyTwoRequestsOfAFlood) {
  serve_one_among(loop_, requests(1000), requests(1));
}

/// A peer that has always more to say: its preface, what comes first, and then one frame again and
/// again.
class EndlessTransport final : public Transport {
 public:
  EndlessTransport(const std::string& first, std::string frame)
      : frame_(std::move(frame)),
        next_(test::frames::preface() + test::frames::settings() + first) {}

  IoResult try_read(std::span<std::byte> into) override {
    std::size_t count = 0;
    while (count < into.size()) {
      const std::size_t piece = std::min(into.size() - count, next_.size() - at_);
      std::memcpy(into.data() + count, next_.data() + at_, piece);
      count += piece;
      at_ += piece;
      if (at_ < next_.size()) break;
      next_ = frame_;
      at_ = 0;
    }
    taken += count;
    return IoResult::bytes(count);
  }
  IoResult try_write(std::span<const iovec> from) override {
    return IoResult::bytes(from.front().iov_len);
  }
  WaitAdvice prepare_wait(Interest) override { return WaitAdvice::ready_now(); }
  void abort(std::error_code) noexcept override {}
  const PeerIdentity& peer() const noexcept override { return peer_; }

  std::size_t taken = 0;

 private:
  std::string frame_;
  std::string next_;
  std::size_t at_ = 0;
  PeerIdentity peer_{"endless"};
};

struct FrameCase {
  const char* name;
  /// What comes once, before it.
  std::string first;
  std::string frame;
};

void PrintTo(const FrameCase& frame, std::ostream* to) {
  *to << frame.name;
}

/// Fifty connections on which frames come without end that no budget of one connection counts.
class ManyFloodsTest : public FloodTest, public testing::WithParamInterface<FrameCase> {
 protected:
  static constexpr std::size_t count = 50;

  ManyFloodsTest() {
    for (std::size_t i = 0; i < count; ++i) {
      auto transport = std::make_unique<EndlessTransport>(GetParam().first, GetParam().frame);
      transports_.push_back(transport.get());
      floods_.push_back(std::make_unique<Counter>(loop_, std::move(transport)));
    }
  }
  void start() {
    for (const auto& flood : floods_)
      flood->start();
  }
  std::size_t taken() const {
    std::size_t sum = 0;
    for (const EndlessTransport* transport : transports_)
      sum += transport->taken;
    return sum;
  }

  std::vector<EndlessTransport*> transports_;
  std::vector<std::unique_ptr<Counter>> floods_;
};

TEST_P(ManyFloodsTest, TakeNoMoreOfATurnThanItsBudget) {
  start();

  for (int turn = 0; turn < 20; ++turn) {
    const std::size_t before = taken();
    loop_.poll();
    EXPECT_LE(taken() - before, TurnBudget::whole + TurnBudget::share);
  }
}

TEST_P(ManyFloodsTest, ThatBeginTogetherTakeNoMoreOfATurnThanItsBudget) {
  loop_.post([this] { start(); });

  loop_.poll();

  EXPECT_GT(taken(), 0U);
  EXPECT_LE(taken(), TurnBudget::whole + TurnBudget::share);
}

TEST_P(ManyFloodsTest, WhoseTimeIsUpTogetherTakeNoMoreOfATurnThanItsBudget) {
  testing::ManualClock clock(loop_);
  start();
  loop_.poll();
  const std::size_t before = taken();

  clock.advance(std::chrono::hours(1));
  loop_.poll();

  EXPECT_LE(taken() - before, TurnBudget::whole + TurnBudget::share);
}

TEST_P(ManyFloodsTest, AreServedAlike) {
  start();
  constexpr std::size_t rounds = 3;
  constexpr std::size_t turns = rounds * count * TurnBudget::share / TurnBudget::whole;

  for (std::size_t turn = 0; turn < turns; ++turn)
    loop_.poll();

  const auto [least, most] =
      std::minmax_element(transports_.begin(), transports_.end(),
                          [](const auto* a, const auto* b) { return a->taken < b->taken; });
  EXPECT_GE((*least)->taken, (*most)->taken / 2);
  EXPECT_LE((*most)->taken - (*least)->taken, 2 * TurnBudget::share);
}

TEST_P(ManyFloodsTest, LeaveTheNextTurnToAnother) {
  auto [modest, served] = make_ends();
  Counter other(loop_, std::move(served));
  other.start();
  start();
  loop_.poll();

  for (int calls = 1; calls <= 3; ++calls) {
    const std::string all = requests(calls);
    const std::size_t before = calls == 1 ? 0 : requests(calls - 1).size();
    ASSERT_TRUE(test::write_all(*modest, all.substr(before)));
    loop_.poll();
    EXPECT_EQ(other.count, calls);
  }
}

std::string frame_of_type(std::uint8_t type) {
  return test::frames::raw(static_cast<http2::FrameType>(type), /*flags=*/0, /*stream=*/0,
                           "a little");
}

/// Which is reset.
std::string request_on_stream_1() {
  return test::frames::headers(1, test::frames::request_block());
}

INSTANTIATE_TEST_SUITE_P(Frames,
                         ManyFloodsTest,
                         testing::Values(FrameCase{"UnknownType", "", frame_of_type(0x77)},
                                         FrameCase{"PriorityUpdate", "", frame_of_type(0x10)},
                                         FrameCase{
                                             "ResetOfAGoneStream", request_on_stream_1(),
                                             test::frames::rst_stream(1, http2::ErrorCode::cancel)},
                                         FrameCase{"DataOfAGoneStream", request_on_stream_1(),
                                                   test::frames::data(1, "sixteen bytes, +")}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace nearcall::inline v0::detail
