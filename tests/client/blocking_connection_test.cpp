// SPDX-License-Identifier: Apache-2.0
// A connection that blocking threads drive: fitness, room for calls, and taking turns.
#include "client/blocking_connection.hpp"

#include "client/script_methods.hpp"
#include "support/frames.hpp"
#include "support/log_capture.hpp"
#include "transport/socket_transport.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using detail::BlockingConnection;
using OpenState = http2::Session::OpenState;

class BlockingConnectionTest : public LogCheckedTest {
 protected:
  explicit BlockingConnectionTest(const http2::SessionOptions& of_peer = http2::SessionOptions()) {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    peer_ = std::make_unique<SessionPeer>(http2::Role::server, std::move(pair->second), of_peer);
    connection_ =
        std::make_unique<BlockingConnection>(std::move(pair->first), "mine", ConnectionLimits(),
                                             SpinPolicy::off(), counters_, detail::Clock());
  }
  bool is_fit(bool for_what_can_be_repeated = false) {
    BlockingConnection::Turn turn = connection_->begin_turn();
    return connection_->is_fit(turn, for_what_can_be_repeated);
  }

  detail::ConnectionCounters counters_;
  std::unique_ptr<SessionPeer> peer_;
  std::unique_ptr<BlockingConnection> connection_;
};

TEST_F(BlockingConnectionTest, IsFitBeforeTheServerSaysAnything) {
  EXPECT_TRUE(is_fit());
}

TEST_F(BlockingConnectionTest, IsNotFitOnceTheServerHasClosed) {
  EXPECT_TRUE(is_fit());
  peer_.reset();
  EXPECT_FALSE(is_fit());
}

TEST_F(BlockingConnectionTest, IsNotReadFromWhereAWriteTellsOfTheEndAndTheCallCanBeRepeated) {
  EXPECT_TRUE(is_fit());
  peer_.reset();
  EXPECT_TRUE(is_fit(/*for_what_can_be_repeated=*/true));
  EXPECT_FALSE(is_fit());
}

TEST_F(BlockingConnectionTest, IsNotFitOnceTheServerSaidGoaway) {
  EXPECT_TRUE(is_fit());
  peer_->turn();
  peer_->session().send_goaway(http2::ErrorCode::no_error, {});
  peer_->flush();
  EXPECT_FALSE(is_fit());
}

TEST_F(BlockingConnectionTest, ALookAtAnIdleConnectionAnswersItsPings) {
  EXPECT_TRUE(is_fit());
  peer_->turn();
  peer_->session().send_ping(4711);
  peer_->flush();
  EXPECT_TRUE(is_fit());
  peer_->turn();
  EXPECT_EQ(peer_->ping_acks(), 1);
}

TEST_F(BlockingConnectionTest, SaysGoawayWhenItIsClosed) {
  EXPECT_TRUE(is_fit());
  connection_.reset();
  peer_->turn();
  EXPECT_TRUE(peer_->has_goaway());
  EXPECT_TRUE(peer_->has_ended());
}

/// A server that sends a beginning and then the same again and again, as fast as anybody reads.
class FloodingServer final : public Transport {
 public:
  static constexpr int most_reads = 1'000'000;

  FloodingServer(int* reads, const std::string& beginning, std::string again)
      : beginning_(frames::settings() + beginning), again_(std::move(again)), reads_(reads) {}
  IoResult try_read(std::span<std::byte> into) override {
    if (*reads_ == most_reads) return IoResult::would_block();
    const std::string_view next = (*reads_)++ == 0 ? beginning_ : again_;
    std::ranges::copy(detail::as_bytes(next), into.begin());
    return IoResult::bytes(next.size());
  }
  IoResult try_write(std::span<const iovec> from) override {
    return IoResult::bytes(from.front().iov_len);
  }
  WaitAdvice prepare_wait(Interest) override { return WaitAdvice::ready_now(); }
  void abort(std::error_code) noexcept override {}
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const std::string beginning_;
  const std::string again_;
  const PeerIdentity peer_;
  int* reads_;
};

TEST_F(BlockingConnectionTest, ALookEndsWhateverTheServerSends) {
  int reads = 0;
  const std::string unknown = frames::raw(static_cast<http2::FrameType>(0xbe), 0, 0, "");
  connection_ = std::make_unique<BlockingConnection>(
      std::make_unique<FloodingServer>(&reads, "", unknown), "mine", ConnectionLimits(),
      SpinPolicy::off(), counters_, detail::Clock());

  EXPECT_TRUE(is_fit());

  EXPECT_GT(reads, 1);
  EXPECT_LT(reads, 100);
}

TEST_F(BlockingConnectionTest, AHeaderBlockThatDribblesEndsInTimeThoughEachReadBringsSome) {
  int reads = 0;
  ConnectionLimits limits;
  limits.max_header_block_size = 1U << 20U;
  limits.header_block_timeout = 10ms;
  std::string header = frames::headers(1, std::string(FloodingServer::most_reads, 'x'));
  header.resize(http2::frame_header_size);
  connection_ = std::make_unique<BlockingConnection>(
      std::make_unique<FloodingServer>(&reads, header, "x"), "mine", limits, SpinPolicy::adaptive(),
      counters_, detail::Clock());
  detail::BlockedThread self;
  BlockingConnection::Turn turn = connection_->begin_turn();
  const auto is_closed = [this] { return connection_->client().open_state() == OpenState::closed; };

  EXPECT_TRUE(connection_->wait(turn, self, detail::no_deadline, is_closed));

  EXPECT_LT(reads, FloodingServer::most_reads);
}

TEST_F(BlockingConnectionTest, ASilentServerEndsInTimeHoweverLongAThreadSpins) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  ConnectionLimits limits;
  limits.handshake_timeout = 10ms;
  connection_ = std::make_unique<BlockingConnection>(
      std::move(pair->first), "mine", limits, SpinPolicy::adaptive(1h), counters_, detail::Clock());
  detail::BlockedThread self;
  BlockingConnection::Turn turn = connection_->begin_turn();
  const auto is_closed = [this] { return connection_->client().open_state() == OpenState::closed; };

  EXPECT_TRUE(connection_->wait(turn, self, detail::SteadyClock::now() + 1min, is_closed));
}

TEST_F(BlockingConnectionTest, WaitingEndsAtItsDeadline) {
  detail::BlockedThread self;
  BlockingConnection::Turn turn = connection_->begin_turn();
  EXPECT_FALSE(
      connection_->wait(turn, self, detail::SteadyClock::now() + 5ms, [] { return false; }));
}

/// Tells of the first write to it, and how often somebody wanted to sleep until it can do more.
class WatchedTransport final : public ForwardingTransport {
 public:
  WatchedTransport(std::unique_ptr<Transport> inner, std::function<void()> on_write, int* waits)
      : ForwardingTransport(std::move(inner)), on_write_(std::move(on_write)), waits_(waits) {}
  IoResult try_write(std::span<const iovec> from) override {
    if (const std::function<void()> first = std::exchange(on_write_, nullptr)) first();
    return inner().try_write(from);
  }
  WaitAdvice prepare_wait(Interest interest) override {
    ++*waits_;
    return inner().prepare_wait(interest);
  }

 private:
  std::function<void()> on_write_;
  int* waits_;
};

TEST_F(BlockingConnectionTest, WhoIsDoneByWhatItSendsItselfDoesNotSleep) {
  detail::BlockedThread self;
  bool is_done = false;
  int waits = 0;
  const auto on_write = [&] {
    is_done = true;
    connection_->notify(self);
  };
  Result<detail::SocketPair> pair = detail::make_socketpair();
  connection_ = std::make_unique<BlockingConnection>(
      std::make_unique<WatchedTransport>(std::move(pair->first), on_write, &waits), "mine",
      ConnectionLimits(), SpinPolicy::off(), counters_, detail::Clock());
  BlockingConnection::Turn turn = connection_->begin_turn();

  EXPECT_TRUE(
      connection_->wait(turn, self, detail::SteadyClock::now() + 1min, [&] { return is_done; }));

  EXPECT_EQ(waits, 0);
}

/// Has nothing to read, and names a descriptor to wait for that is not open.
class LostDescriptor final : public ForwardingTransport {
 public:
  using ForwardingTransport::ForwardingTransport;
  IoResult try_read(std::span<std::byte>) override { return IoResult::would_block(); }
  WaitAdvice prepare_wait(Interest) override {
    return WaitAdvice::poll(std::numeric_limits<int>::max(), POLLIN);
  }
};

TEST_F(BlockingConnectionTest, ATransportThatCannotBeWaitedForEndsInsteadOfSpinning) {
  Result<detail::SocketPair> pair = detail::make_socketpair();
  connection_ = std::make_unique<BlockingConnection>(
      std::make_unique<LostDescriptor>(std::move(pair->first)), "mine", ConnectionLimits(),
      SpinPolicy::off(), counters_, detail::Clock());
  detail::BlockedThread self;
  BlockingConnection::Turn turn = connection_->begin_turn();
  const auto is_closed = [this] { return connection_->client().open_state() == OpenState::closed; };

  EXPECT_TRUE(connection_->wait(turn, self, detail::SteadyClock::now() + 2s, is_closed));
}

TEST_F(BlockingConnectionTest, WaitingNeedsNoDescriptorThatTheProcessDoesNotHave) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};  // poll(2) itself wants room for what it is given
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  detail::BlockedThread self;
  bool in_time = true;
  {
    BlockingConnection::Turn turn = connection_->begin_turn();
    in_time =
        connection_->wait(turn, self, detail::SteadyClock::now() + 25ms, [] { return false; });
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

  EXPECT_FALSE(in_time);
}

TEST_F(BlockingConnectionTest, WhatIsDoneAlreadyIsNotWaitedFor) {
  detail::BlockedThread self;
  BlockingConnection::Turn turn = connection_->begin_turn();
  EXPECT_TRUE(connection_->wait(turn, self, detail::SteadyClock::now() - 1s, [] { return true; }));
}

/// A thread that waits on the connection until the test says that it is done.
class Waiting {
 public:
  explicit Waiting(BlockingConnection& connection) : connection_(&connection) {
    thread_ = std::jthread([this] {
      BlockingConnection::Turn turn = connection_->begin_turn();
      in_time_ = connection_->wait(turn, self_, detail::SteadyClock::now() + 10s, [this] {
        looked_.release();
        return is_done_ || connection_->client().open_state() == OpenState::closed;
      });
    });
    // It looks with the mutex held, which it lets go of only when it sleeps or drives.
    looked_.acquire();
    const BlockingConnection::Turn turn = connection_->begin_turn();
  }
  /// REQUIRES: the mutex is held.
  void set_done() { is_done_ = true; }
  void wake_up() { connection_->notify(self_); }
  bool ends_in_time() {
    thread_.join();
    return in_time_;
  }

 private:
  BlockingConnection* connection_;
  detail::BlockedThread self_;
  std::counting_semaphore<> looked_{0};
  bool is_done_ = false;
  bool in_time_ = false;
  std::jthread thread_;
};

TEST_F(BlockingConnectionTest, WhoLeavesWhileItDrivesPassesTheRoleOn) {
  EXPECT_TRUE(is_fit());
  Waiting driver(*connection_);
  Waiting sleeper(*connection_);
  {
    const BlockingConnection::Turn turn = connection_->begin_turn();
    driver.set_done();
    driver.wake_up();
  }
  EXPECT_TRUE(driver.ends_in_time());

  peer_->turn();
  peer_->session().send_goaway(http2::ErrorCode::no_error, {});
  peer_->flush();

  EXPECT_TRUE(sleeper.ends_in_time());
}

TEST_F(BlockingConnectionTest, WhoIsWokenToDriveAndIsDoneAlreadyPassesTheRoleOn) {
  EXPECT_TRUE(is_fit());
  Waiting driver(*connection_);
  Waiting done(*connection_);
  Waiting sleeper(*connection_);
  {
    const BlockingConnection::Turn turn = connection_->begin_turn();
    driver.set_done();
    done.set_done();  // but is not told: it learns of it when it is woken to drive
    driver.wake_up();
  }
  EXPECT_TRUE(driver.ends_in_time());
  EXPECT_TRUE(done.ends_in_time());

  peer_->turn();
  peer_->session().send_goaway(http2::ErrorCode::no_error, {});
  peer_->flush();

  EXPECT_TRUE(sleeper.ends_in_time());
}

TEST(RoomForCalls, ComesToAThreadThatDrivesWhileItWaitsForIt) {
  const LogCapture log;
  Result<detail::SocketPair> pair = detail::make_socketpair();
  SessionPeer peer(http2::Role::server, std::move(pair->second), one_stream_at_a_time());
  detail::ConnectionCounters counters;
  BlockingConnection connection(std::move(pair->first), "mine", ConnectionLimits(),
                                SpinPolicy::off(), counters, detail::Clock());
  http2::Stream* only = nullptr;
  { const BlockingConnection::Turn preface = connection.begin_turn(); }
  peer.turn();
  {
    BlockingConnection::Turn turn = connection.begin_turn();
    ASSERT_TRUE(connection.is_fit(turn));  // which reads SETTINGS
    const http2::HeaderTemplate head{{":path", "/test.Script/Chat"}};
    only = &connection.client().commands()->open_stream(head, {}, /*end_stream=*/false, nullptr);
    ASSERT_EQ(connection.client().open_state(), OpenState::full);
  }
  std::binary_semaphore looked{0};
  std::binary_semaphore has_room{0};
  const std::jthread waiting([&] {
    detail::BlockedThread self;
    BlockingConnection::Turn turn = connection.begin_turn();
    bool is_first_look = true;
    connection.wait_for_room(turn, self, detail::SteadyClock::now() + 10s, /*hears_word=*/false,
                             [&] {
                               if (std::exchange(is_first_look, false)) looked.release();
                               return false;
                             });
    has_room.release();
  });
  looked.acquire();  // with the mutex held, which it lets go of when it drives

  {
    const BlockingConnection::Turn turn = connection.begin_turn();
    connection.client().release(*only);
  }

  EXPECT_TRUE(has_room.try_acquire_for(5s));  // and not when its deadline makes it look
}

/// A warm-up, so that the client knows how many calls the server takes.
void serve_warm_up(SessionPeer& peer) {
  http2::Stream* const stream = peer.next_call();
  ASSERT_NE(stream, nullptr);
  peer.answer(*stream, "warm");
}

/// A connection that takes one call at a time, and whose client knows that.
class FullConnection : public LogCheckedTest {
 protected:
  FullConnection() { EXPECT_TRUE(call_unary(stub_).ok()); }

  ScriptedServer server_{{[](SessionPeer& peer) {
                           serve_warm_up(peer);
                           EXPECT_TRUE(peer.answer_all("reply"));
                           EXPECT_EQ(peer.session().stats().requests_refused, 0U);
                         }},
                         one_stream_at_a_time()};
  Channel channel_{"mine", server_.options().max_connections(1)};
  const ClientStub stub_{channel_, test_methods};
};

TEST_F(FullConnection, TheSecondCallWaitsForRoomUntilItsDeadline) {
  auto first = stub_.bidi_streaming<Text, Text>(chat_method, patient());
  ASSERT_TRUE(first.write(text_of("hello")));

  const Status second = call_unary(stub_, CallOptions().timeout(20ms)).status();
  EXPECT_EQ(second.code(), StatusCode::deadline_exceeded) << second.to_string();

  EXPECT_TRUE(first.finish().ok());
  EXPECT_TRUE(call_unary(stub_).ok());
}

TEST_F(FullConnection, TheSecondCallRunsWhenTheFirstIsOver) {
  auto first = stub_.bidi_streaming<Text, Text>(chat_method, patient());
  ASSERT_TRUE(first.write(text_of("hello")));

  std::jthread second([this] {
    const Result<Text> reply = call_unary(stub_);
    EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  });
  const Status status = first.finish();

  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(FullConnection, ManyThreadsTakeTurnsOnOneStream) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 20; ++i) {
        const Result<Text> reply = call_unary(stub_);
        EXPECT_TRUE(reply.ok()) << reply.status().to_string();
      }
    });
  }
}

class SharedConnection : public LogCheckedTest {};

TEST_F(SharedConnection, TheThreadThatDrivesHandsOtherThreadsTheirReplies) {
  ScriptedServer server({[](SessionPeer& peer) {
    http2::Stream* const slow = peer.next_headers();
    http2::Stream* const quick = peer.next_headers();
    ASSERT_NE(quick, nullptr);
    for (int i = 0; i < 3; ++i) {
      if (i == 0) peer.begin(*quick);
      peer.message(*quick, "quick");
      peer.flush();
    }
    peer.end(*quick);
    peer.flush();
    peer.begin(*slow);
    peer.message(*slow, "slow");
    peer.end(*slow);
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options().max_connections(1));
  const ClientStub stub(channel, test_methods);
  auto slow = stub.server_streaming<Text>(serve_method, text_of("a"), patient());
  auto quick = stub.server_streaming<Text>(serve_method, text_of("b"), patient());

  std::jthread other([&slow] {
    const std::optional<Text> reply = slow.read();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->value(), "slow");
    EXPECT_TRUE(slow.finish().ok());
  });
  int replies = 0;
  while (quick.read())
    ++replies;

  EXPECT_EQ(replies, 3);
  EXPECT_TRUE(quick.finish().ok());
}

// ---- keepalive ----------------------------------------------------------------------------------

class BlockingKeepAliveTest : public BlockingConnectionTest {
 protected:
  BlockingKeepAliveTest() : BlockingConnectionTest(that_may_be_pinged()) {}
  void ask_after_20_ms(detail::Duration timeout) {
    connection_->client().pump().keep_alive({20ms, timeout, /*without_calls=*/true},
                                            detail::SteadyClock::now());
  }
  static http2::SessionOptions that_may_be_pinged() {
    http2::SessionOptions options;
    options.limits->min_ping_interval_without_calls = 0s;
    return options;
  }
  /// Waits until the connection has ended; false after `patience`.
  bool wait_for_end(detail::Duration patience) {
    detail::BlockedThread self;
    BlockingConnection::Turn turn = connection_->begin_turn();
    return connection_->wait(turn, self, detail::SteadyClock::now() + patience,
                             [this] { return connection_->client().pump().has_ended(); });
  }
};

TEST_F(BlockingKeepAliveTest, AServerThatIsSilentIsLostWhileSomebodyWaits) {
  ask_after_20_ms(/*timeout=*/20ms);
  peer_->turn();

  EXPECT_TRUE(wait_for_end(10s));

  EXPECT_EQ(connection_->client().pump().end_reason(), detail::EndReason::silent);
}

TEST_F(BlockingKeepAliveTest, AServerThatAnswersIsNot) {
  ask_after_20_ms(/*timeout=*/10s);
  std::jthread server([this] { peer_->wait_for_end(); });
  EXPECT_FALSE(wait_for_end(1ms));
  const std::uint64_t before = connection_->client().session().sent_position();

  EXPECT_FALSE(wait_for_end(200ms));

  EXPECT_GT(connection_->client().session().sent_position(), before) << "it was asked";
  EXPECT_EQ(connection_->client().pump().end_reason(), detail::EndReason::none);
  connection_.reset();
}

}  // namespace
}  // namespace nearcall::test
