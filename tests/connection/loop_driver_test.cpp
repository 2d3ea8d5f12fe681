// SPDX-License-Identifier: Apache-2.0
// LoopDriver: two connections on one loop talk to each other over each kind of transport.
#include "connection/loop_driver.hpp"

#include "base/unique_fd.hpp"
#include "connection/test_stream.hpp"
#include "support/fragmenting_transport.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/messages.hpp"
#include "support/session_pair.hpp"
#include "transport/inproc_pipe.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

/// One end: a pump and its driver on the loop, and the messages of one stream at a time.
class End final : public PumpHandler {
 public:
  End(EventLoop& loop,
      std::unique_ptr<Transport> transport,
      http2::Role role,
      const http2::SessionOptions& options = http2::SessionOptions())
      : loop_(&loop),
        pump_(std::move(transport), role, options, *this, SteadyClock::now()),
        driver_(Access::core(loop), pump_) {}

  http2::Session& session() { return pump_.session(); }
  Pump& pump() { return pump_; }
  LoopDriver& driver() { return driver_; }
  MessageStream& messages() { return stream_->messages; }
  void attach(http2::Stream& stream) {
    stream_.emplace();
    stream_->when_input = [this] { take_input(); };
    stream_->when_output = [this] { driver_.request_flush(); };
    stream_->attach(session(), stream, &Access::core(*loop_));
  }

  void on_event(const http2::Event& event) override {
    ++events;
    const auto* const headers = std::get_if<http2::HeadersEvent>(&event);
    if (headers == nullptr) return;
    session().send_headers(*headers->stream, test::response_head(), {},
                           /*end_stream=*/false);
    attach(*headers->stream);
  }
  void on_end(EndReason reason, std::string_view /*what*/) override {
    driver_.stop();
    end_reason = reason;
    loop_->stop();
  }

  std::function<void(const test::Text& text)> on_text = [](const test::Text&) {};
  std::function<void()> on_messages_end = [] {};
  int events = 0;
  EndReason end_reason = EndReason::none;

 private:
  void take_input() {
    test::Text text;
    for (;;) {
      const MessageInbox::Read read = messages().in().try_read(text);
      if (read == MessageInbox::Read::pending) return;
      if (read == MessageInbox::Read::ended) return on_messages_end();
      on_text(text);
    }
  }

  EventLoop* loop_;
  std::optional<TestStream> stream_;
  Pump pump_;
  LoopDriver driver_;
};

using Pair = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

struct TransportCase {
  const char* name;
  Pair (*make)();
};

void PrintTo(const TransportCase& transport, std::ostream* to) {
  *to << transport.name;
}

Pair make_sockets() {
  Result<SocketPair> pair = make_socketpair();
  EXPECT_TRUE(pair.ok());
  return {std::move(pair->first), std::move(pair->second)};
}
Pair make_pipe() {
  Result<InprocPipe> pipe = make_inproc_pipe(4096);
  EXPECT_TRUE(pipe.ok());
  return *std::move(pipe);
}
Pair make_fragments() {
  Pair sockets = make_sockets();
  return {std::make_unique<test::FragmentingTransport>(std::move(sockets.first), 100),
          std::make_unique<test::FragmentingTransport>(std::move(sockets.second), 77)};
}

class LoopDriverTest : public testing::TestWithParam<TransportCase> {
 protected:
  explicit LoopDriverTest(SpinPolicy spin = SpinPolicy::off()) : loop_(spin) {}

  static void answer_with_echo(End& server) {
    server.on_text = [&server](const test::Text& text) {
      EXPECT_EQ(server.messages().out().try_write(text), MessageOutbox::Write::taken);
    };
    server.on_messages_end = [&server] {
      server.session().end_stream(server.messages().stream());
      server.driver().request_flush();
    };
  }
  /// Sends a message from the client and gives back what comes until the stream ends.
  std::string echo(End& client, const std::string& message) {
    std::string answer;
    client.on_text = [&](const test::Text& text) { answer += text.value(); };
    client.on_messages_end = [&] { loop_.stop(); };
    http2::Stream& stream =
        client.session().open_stream(test::request_head(), {}, /*end_stream=*/false, nullptr);
    client.attach(stream);
    const test::Text text = test::text_of(message);
    EXPECT_EQ(client.messages().out().write(grpc::OutgoingMessage(text), /*keeper=*/nullptr,
                                            /*end_stream=*/true),
              MessageOutbox::Write::taken);
    loop_.run();
    return answer;
  }

  EventLoop loop_;
};

TEST_P(LoopDriverTest, ARequestAndItsAnswerCrossTheTransport) {
  auto [a, b] = GetParam().make();
  End client(loop_, std::move(a), http2::Role::client);
  End server(loop_, std::move(b), http2::Role::server);
  answer_with_echo(server);
  server.driver().start();
  client.driver().start();

  EXPECT_EQ(echo(client, "hello"), "hello");
  EXPECT_EQ(echo(client, "again"), "again");
}

TEST_P(LoopDriverTest, MoreThanTheTransportHoldsCrossesItToo) {
  auto [a, b] = GetParam().make();
  End client(loop_, std::move(a), http2::Role::client);
  End server(loop_, std::move(b), http2::Role::server);
  answer_with_echo(server);
  server.driver().start();
  client.driver().start();
  const std::string large(600'000, 'x');

  EXPECT_EQ(echo(client, large), large);
}

TEST_P(LoopDriverTest, APeerThatGoesEndsIt) {
  auto [a, b] = GetParam().make();
  End server(loop_, std::move(b), http2::Role::server);
  server.driver().start();
  loop_.poll();
  ASSERT_FALSE(server.pump().has_ended());

  a.reset();
  loop_.run();

  EXPECT_EQ(server.end_reason, EndReason::peer_closed);
}

TEST_P(LoopDriverTest, ASilentPeerEndsItWhenItsTimeIsUp) {
  auto [a, b] = GetParam().make();
  http2::SessionOptions impatient;
  impatient.limits->handshake_timeout = std::chrono::milliseconds(1);
  End server(loop_, std::move(b), http2::Role::server, impatient);
  server.driver().start();

  loop_.run();

  EXPECT_EQ(server.end_reason, EndReason::protocol_violation);
  EXPECT_EQ(test::read_once(*a), "");
}

TEST_P(LoopDriverTest, OnceStoppedItHearsNothingMore) {
  auto [a, b] = GetParam().make();
  End server(loop_, std::move(b), http2::Role::server);
  server.driver().start();
  loop_.poll();

  server.driver().stop();
  http2::Session client(http2::Role::client, http2::SessionOptions(), SteadyClock::now());
  ASSERT_TRUE(test::write_all(*a, test::take_output(client)));
  loop_.poll();
  loop_.poll();

  EXPECT_EQ(server.events, 0);
  EXPECT_FALSE(server.pump().has_ended());
}

/// Lets its owner read only when the next of its descriptors is writable, as a TLS session may that
/// has to write before it can read.
class ReadsWhenWritable final : public Transport {
 public:
  ReadsWhenWritable(std::unique_ptr<Transport> inner, std::size_t descriptors)
      : inner_(std::move(inner)) {
    for (std::size_t i = 0; i < descriptors; ++i) {
      gates_.push_back(make_sockets());
      while (test::write_once(*gates_.back().first, "x").kind() == IoResult::Kind::bytes) {
      }
    }
  }

  /// Makes the next descriptor writable.
  void open_next() {
    while (test::read_kind(*gates_[next_].second) == IoResult::Kind::bytes) {
    }
  }

  IoResult try_read(std::span<std::byte> into) override {
    if (next_ == gates_.size() || !test::is_ready(*gates_[next_].first, Interest::write)) {
      return IoResult::would_block();
    }
    const IoResult result = inner_->try_read(into);
    if (result.kind() == IoResult::Kind::bytes) ++next_;
    return result;
  }
  IoResult try_write(std::span<const iovec> from) override { return inner_->try_write(from); }
  WaitAdvice prepare_wait(Interest interest) override {
    if (interest == Interest::write || next_ == gates_.size())
      return inner_->prepare_wait(interest);
    return gates_[next_].first->prepare_wait(Interest::write);
  }
  void abort(std::error_code reason) noexcept override { inner_->abort(reason); }
  const PeerIdentity& peer() const noexcept override { return inner_->peer(); }

 private:
  const std::unique_ptr<Transport> inner_;
  std::vector<Pair> gates_;
  std::size_t next_ = 0;
};

TEST(LoopDriver, ReadsWhenAnyOfManyDescriptorsIsWritableIfTheTransportWaitsForThat) {
  EventLoop loop(SpinPolicy::off());
  auto [client, server] = make_sockets();
  http2::Session session(http2::Role::client, http2::SessionOptions(), SteadyClock::now());
  session.open_stream(test::request_head(), {}, /*end_stream=*/true, nullptr);
  const std::string sent = test::take_output(session);
  constexpr std::size_t descriptors = 5;
  auto gated = std::make_unique<ReadsWhenWritable>(std::move(server), descriptors);
  ReadsWhenWritable& transport = *gated;
  End end(loop, std::move(gated), http2::Role::server);
  end.driver().start();

  for (std::size_t i = 0; i < descriptors; ++i) {
    const std::size_t from = sent.size() * i / descriptors;
    const std::size_t to = sent.size() * (i + 1) / descriptors;
    ASSERT_TRUE(test::write_all(*client, std::string_view(sent).substr(from, to - from)));
    transport.open_next();
    loop.poll();
  }

  EXPECT_EQ(end.session().stream_count(), 1U);
  EXPECT_EQ(end.end_reason, EndReason::none);
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

/// Counts requests, and answers none.
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
    if (!std::holds_alternative<http2::HeadersEvent>(event)) return;
    ++count;
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
  auto [flooding, flooded] = make_sockets();
  auto [modest, served] = make_sockets();
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

/// A peer that has always more to say: its preface, and then one frame again and again.
class EndlessTransport final : public Transport {
 public:
  explicit EndlessTransport(std::string frame)
      : frame_(std::move(frame)), next_(test::frames::preface() + test::frames::settings()) {}

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

/// Takes all that is written, and says nothing.
class BottomlessTransport final : public Transport {
 public:
  IoResult try_read(std::span<std::byte> /*into*/) override { return IoResult::would_block(); }
  IoResult try_write(std::span<const iovec> from) override {
    std::size_t count = 0;
    for (const iovec& piece : from)
      count += piece.iov_len;
    written += count;
    return IoResult::bytes(count);
  }
  WaitAdvice prepare_wait(Interest) override { return WaitAdvice::poll(event_.get(), POLLIN); }
  void abort(std::error_code) noexcept override {}
  const PeerIdentity& peer() const noexcept override { return peer_; }

  std::size_t written = 0;

 private:
  UniqueFd event_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  PeerIdentity peer_{"bottomless"};
};

TEST(LoopDriver, WritesItsShareOfATurnAndTheRestInTheNextOnes) {
  EventLoop loop(SpinPolicy::off());
  auto transport = std::make_unique<BottomlessTransport>();
  const std::size_t& written = transport->written;
  End end(loop, std::move(transport), http2::Role::client);
  const std::string windows =
      test::frames::settings({{http2::SettingId::initial_window_size, 100'000'000}}) +
      test::frames::window_update(0, 100'000'000);
  end.session().receive(as_bytes(windows), SteadyClock::now());
  test::drain_events(end.session(), [](const http2::Event&) {});
  http2::Stream& stream = end.session().open_stream(test::request_head(), {}, false, nullptr);
  const std::size_t all = 3 * LoopDriver::flush_share;
  end.session().send_data(stream, OwnedBytes(all), /*end_stream=*/false);

  end.driver().request_flush();
  loop.poll();
  const std::size_t in_one_turn = written;
  for (int turn = 0; turn < 10; ++turn)
    loop.poll();

  EXPECT_EQ(in_one_turn, LoopDriver::flush_share);
  EXPECT_GT(written, all);
}

struct FrameCase {
  const char* name;
  std::uint8_t type;
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
      auto transport = std::make_unique<EndlessTransport>(test::frames::raw(
          static_cast<http2::FrameType>(GetParam().type), /*flags=*/0, /*stream=*/0, "a little"));
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
  static TimePoint time;
  time = SteadyClock::now();
  constexpr auto now = []() noexcept { return time; };
  Access::core(loop_).set_clocks({now, now});
  start();
  loop_.poll();
  const std::size_t before = taken();

  time += std::chrono::hours(1);
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
  EXPECT_GE((*least)->taken, (rounds - 1) * TurnBudget::share);
  EXPECT_LE((*most)->taken - (*least)->taken, 2 * TurnBudget::share);
}

TEST_P(ManyFloodsTest, LeaveTheNextTurnToAnother) {
  auto [modest, served] = make_sockets();
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

INSTANTIATE_TEST_SUITE_P(Frames,
                         ManyFloodsTest,
                         testing::Values(FrameCase{"UnknownType", 0x77},
                                         FrameCase{"PriorityUpdate", 0x10}),
                         [](const auto& of) { return std::string(of.param.name); });

INSTANTIATE_TEST_SUITE_P(Transports,
                         LoopDriverTest,
                         testing::Values(TransportCase{"Sockets", &make_sockets},
                                         TransportCase{"Pipe", &make_pipe},
                                         TransportCase{"Fragments", &make_fragments}),
                         [](const auto& of) { return std::string(of.param.name); });

class SpinningLoopDriverTest : public LoopDriverTest {
 protected:
  SpinningLoopDriverTest() : LoopDriverTest(SpinPolicy::adaptive()) {}
};

TEST_P(SpinningLoopDriverTest, ALoopThatSpinsSeesTheSame) {
  auto [a, b] = GetParam().make();
  End client(loop_, std::move(a), http2::Role::client);
  End server(loop_, std::move(b), http2::Role::server);
  answer_with_echo(server);
  server.driver().start();
  client.driver().start();

  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(echo(client, std::to_string(i)), std::to_string(i));
}

INSTANTIATE_TEST_SUITE_P(Transports,
                         SpinningLoopDriverTest,
                         testing::Values(TransportCase{"Sockets", &make_sockets},
                                         TransportCase{"Pipe", &make_pipe}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace nearcall::inline v0::detail
