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
#include <string_view>
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

/// An end whose peer takes whatever is written, and how much that was.
struct Writer {
  explicit Writer(EventLoop& loop, std::unique_ptr<BottomlessTransport> transport)
      : written(transport->written), end(loop, std::move(transport), http2::Role::client) {
    const std::string windows =
        test::frames::settings({{http2::SettingId::initial_window_size, 100'000'000}}) +
        test::frames::window_update(0, 100'000'000);
    end.session().receive(as_bytes(windows), SteadyClock::now());
    test::drain_events(end.session(), [](const http2::Event&) {});
  }
  void write(OwnedBytes bytes) {
    http2::Stream& stream = end.session().open_stream(test::request_head(), {}, false, nullptr);
    end.session().send_data(stream, std::move(bytes), /*end_stream=*/false);
    end.driver().request_flush();
  }

  const std::size_t& written;
  End end;
};

TEST(LoopDriver, WritesItsShareOfATurnAndTheRestInTheNextOnes) {
  EventLoop loop(SpinPolicy::off());
  Writer writer(loop, std::make_unique<BottomlessTransport>());
  const std::size_t all = 3 * LoopDriver::flush_share;

  writer.write(OwnedBytes(all));
  loop.poll();
  const std::size_t in_one_turn = writer.written;
  for (int turn = 0; turn < 10; ++turn)
    loop.poll();

  EXPECT_EQ(in_one_turn, LoopDriver::flush_share);
  EXPECT_GT(writer.written, all);
}

/// As many connections as a user may have, each with more to write than a turn is for.
class ManyWritersTest : public testing::Test {
 protected:
  static constexpr std::size_t count = 256;
  static constexpr std::size_t all_of_each = 2 * LoopDriver::flush_share;
  /// What is copied once counts as a sixteenth.
  static constexpr std::size_t bytes_of_a_turn = 16 * TurnBudget::whole;

  ManyWritersTest() {
    OwnedBytes bytes(all_of_each);
    for (std::size_t i = 0; i < count; ++i)
      make().write(bytes.share());
  }
  Writer& make() {
    return *writers_.emplace_back(
        std::make_unique<Writer>(loop_, std::make_unique<BottomlessTransport>()));
  }
  std::size_t written() const {
    std::size_t sum = 0;
    for (const auto& writer : writers_)
      sum += writer->written;
    return sum;
  }
  std::size_t least_written() const {
    std::size_t least = all_of_each;
    for (const auto& writer : writers_)
      least = std::min(least, writer->written);
    return least;
  }

  EventLoop loop_{SpinPolicy::off()};
  std::vector<std::unique_ptr<Writer>> writers_;
};

TEST_F(ManyWritersTest, WriteNoMoreInATurnThanItIsForAndALittleEach) {
  for (int turn = 0; turn < 10; ++turn) {
    const std::size_t before = written();
    loop_.poll();
    EXPECT_LE(written() - before, bytes_of_a_turn * 3 / 2);
  }
}

TEST_F(ManyWritersTest, AreServedInTheOrderOfComing) {
  constexpr std::size_t turns_for_all = count * LoopDriver::flush_share / bytes_of_a_turn;

  for (std::size_t turn = 0; turn < turns_for_all + 2; ++turn)
    loop_.poll();

  EXPECT_GE(least_written(), LoopDriver::flush_share);
}

TEST_F(ManyWritersTest, LeaveRoomForAnAnswerInTheSameTurn) {
  loop_.poll();
  Writer& other = make();
  const std::size_t size = 1000;

  other.write(OwnedBytes(size));
  loop_.poll();

  EXPECT_GE(other.written, size);
}

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

TEST_P(SpinningLoopDriverTest, PollsATransportUnlessTheLoopItselfTellsOfThePeer) {
  auto [a, b] = GetParam().make();
  End client(loop_, std::move(a), http2::Role::client);
  End server(loop_, std::move(b), http2::Role::server);
  answer_with_echo(server);
  bool was_polled = false;
  server.on_text = [&, echo = server.on_text](const test::Text& text) {
    echo(text);
    loop_.post([&] { was_polled |= server.driver().is_hot(); });
  };
  server.driver().start();
  client.driver().start();

  for (int i = 0; i < 10; ++i)
    ASSERT_EQ(echo(client, std::to_string(i)), std::to_string(i));

  EXPECT_EQ(was_polled, std::string_view(GetParam().name) == "Sockets");
}

INSTANTIATE_TEST_SUITE_P(Transports,
                         SpinningLoopDriverTest,
                         testing::Values(TransportCase{"Sockets", &make_sockets},
                                         TransportCase{"Pipe", &make_pipe}),
                         [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace nearcall::inline v0::detail
