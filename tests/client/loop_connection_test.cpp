// SPDX-License-Identifier: Apache-2.0
// The connection of a channel on a loop: one for all its calls, made late, replaced when it dies.
#include "client/loop_connection.hpp"

#include "base/unique_fd.hpp"
#include "client/script_methods.hpp"
#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using detail::TimePoint;

class LoopConnectionTest : public LogCheckedTest {};

/// Starts `count` calls at once, then awaits them.
Task<std::vector<Status>> call_together(const ClientStub& stub, int count) {
  std::vector<AsyncUnaryCall<Text>> calls;
  for (int i = 0; i < count; ++i)
    calls.push_back(stub.unary_async<Text>(unary_method, text_of("request"), patient()));
  std::vector<Status> outcomes;
  for (AsyncUnaryCall<Text>& call : calls) {
    const Result<Text> reply = co_await call;
    outcomes.push_back(reply.status());
  }
  co_return outcomes;
}

TEST_F(LoopConnectionTest, CallsThatStartTogetherShareOneConnection) {
  ScriptedServer server({[](SessionPeer& peer) {
    std::vector<http2::Stream*> calls;
    for (int i = 0; i < 10; ++i)
      calls.push_back(peer.next_call());
    for (auto call = calls.rbegin(); call != calls.rend(); ++call)
      peer.answer(**call, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 10));

  for (const Status& status : outcomes)
    EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 1U);
}

Task<std::vector<Status>> warm_up_and_call_together(const ClientStub& stub, int count) {
  const std::vector<Status> warm = co_await call_together(stub, 1);
  EXPECT_TRUE(warm.at(0).ok());
  co_return co_await call_together(stub, count);
}

TEST_F(LoopConnectionTest, CallsBeyondTheServersLimitWaitForRoom) {
  ScriptedServer server({[](SessionPeer& peer) {
                          EXPECT_TRUE(peer.answer_all("reply"));
                          EXPECT_EQ(peer.session().stats().requests_refused, 0U);
                        }},
                        one_stream_at_a_time());
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(warm_up_and_call_together(stub, 5));

  for (const Status& status : outcomes)
    EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 1U);
}

TEST_F(LoopConnectionTest, CallsThatAreRefusedBeforeTheLimitIsKnownAreRepeatedWhereItIs) {
  ScriptedServer server({[](SessionPeer& peer) {
                          http2::Stream* const first = peer.next_call();
                          ASSERT_NE(first, nullptr);
                          peer.turn();  // the others came with it
                          EXPECT_EQ(peer.session().stats().requests_refused, 9U);
                          peer.answer(*first, "reply");
                          EXPECT_TRUE(peer.answer_all("reply"));
                          EXPECT_EQ(peer.session().stats().requests_refused, 9U);
                        }},
                        one_stream_at_a_time());
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 10));

  for (const Status& status : outcomes)
    EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 1U);
}

Task<Status> wait_for_room_until_the_deadline(const ClientStub& stub) {
  const std::vector<Status> warm = co_await call_together(stub, 1);
  EXPECT_TRUE(warm.at(0).ok());
  auto first = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  auto second = stub.unary_async<Text>(unary_method, text_of("late"), CallOptions().timeout(20ms));
  const Result<Text> reply = co_await second;
  const Status status = co_await first.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
  co_return reply.status();
}

TEST_F(LoopConnectionTest, ACallThatWaitsForRoomEndsAtItsDeadline) {
  ScriptedServer server({[](SessionPeer& peer) {
                          EXPECT_TRUE(peer.answer_all("reply"));
                          EXPECT_EQ(peer.session().stats().streams_opened, 2U);
                        }},
                        one_stream_at_a_time());
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const Status late = sync_wait(wait_for_room_until_the_deadline(stub));

  EXPECT_EQ(late.code(), StatusCode::deadline_exceeded) << late.to_string();
}

Task<Result<std::unique_ptr<Transport>>> fail_soon() {
  co_await sleep_for(1ms);
  co_return Failure{Status(StatusCode::unavailable, "nobody there")};
}

TEST_F(LoopConnectionTest, AnAttemptThatFailsFailsAllCallsThatWaitForIt) {
  Channel channel("mine",
                  ChannelOptions().connector([](const ConnectContext&) { return fail_soon(); }));
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 3));

  EXPECT_EQ(outcomes, std::vector<Status>(3, Status(StatusCode::unavailable, "nobody there")));
}

Task<Result<std::unique_ptr<Transport>>> throw_soon() {
  co_await sleep_for(1ms);
  throw std::runtime_error("no more sockets today");
  co_return Failure{Status(StatusCode::internal, "not reached")};
}

TEST_F(LoopConnectionTest, AConnectorThatThrowsIsUnavailable) {
  Channel channel("mine",
                  ChannelOptions().connector([](const ConnectContext&) { return throw_soon(); }));
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 1));

  EXPECT_EQ(outcomes.at(0).code(), StatusCode::unavailable);
  EXPECT_NE(outcomes.at(0).message().find("no more sockets today"), std::string::npos);
}

Task<Result<std::unique_ptr<Transport>>> throw_a_number() {
  co_await sleep_for(1ms);
  throw 7;
  co_return Failure{Status(StatusCode::internal, "not reached")};
}

TEST_F(LoopConnectionTest, WhatAConnectorThrowsNeedNotBeAStandardException) {
  Channel channel(
      "mine", ChannelOptions().connector([](const ConnectContext&) { return throw_a_number(); }));
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 1));

  EXPECT_EQ(outcomes.at(0).code(), StatusCode::unavailable);
}

Task<Result<std::unique_ptr<Transport>>> make_nothing() {
  co_return std::unique_ptr<Transport>();
}

TEST_F(LoopConnectionTest, AConnectorMayDoAnythingWrongAndTheCallIsUnavailable) {
  using Attempt = Task<Result<std::unique_ptr<Transport>>>;
  std::pair<const char*, ConnectCallback> wrong[] = {
      {"mine: the connector threw: at once",
       [](const ConnectContext&) -> Attempt { throw std::runtime_error("at once"); }},
      {"mine: the connector threw", [](const ConnectContext&) -> Attempt { throw 7; }},
      {"mine: the connector made no task", [](const ConnectContext&) { return Attempt(); }},
      {"mine: the connector made no connection",
       [](const ConnectContext&) { return make_nothing(); }}};
  for (auto& [text, callback] : wrong) {
    Channel channel("mine", ChannelOptions().connector(std::move(callback)));
    const ClientStub stub(channel, test_methods);

    const std::vector<Status> outcomes = sync_wait(call_together(stub, 2));

    EXPECT_EQ(outcomes, std::vector<Status>(2, Status(StatusCode::unavailable, text)));
  }
}

Task<Result<std::unique_ptr<Transport>>> never_connecting(std::unique_ptr<Transport> half_open) {
  co_await sleep_for(1h);
  co_return std::move(half_open);
}

TEST_F(LoopConnectionTest, AnAttemptThatIsLateIsDroppedAndWhatItHeldIsClosed) {
  std::vector<std::unique_ptr<Transport>> ends;
  Channel channel("mine", ChannelOptions().connect_timeout(5ms).connector(
                              [&ends](const ConnectContext& context) {
                                EXPECT_EQ(context.target(), "mine");
                                Result<detail::SocketPair> pair = detail::make_socketpair();
                                ends.push_back(std::move(pair->second));
                                return never_connecting(std::move(pair->first));
                              }));
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(call_together(stub, 2));

  for (const Status& status : outcomes)
    EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
  ASSERT_FALSE(ends.empty());
  for (const std::unique_ptr<Transport>& end : ends)
    EXPECT_EQ(read_kind(*end), IoResult::Kind::end_of_stream);
}

Task<Status> call_with_deadline(const ClientStub& stub) {
  auto call = stub.unary_async<Text>(unary_method, text_of("request"), CallOptions().timeout(5ms));
  const Result<Text> reply = co_await call;
  co_return reply.status();
}

TEST_F(LoopConnectionTest, ADeadlineThatPassesWhileConnectingIsDeadlineExceeded) {
  Channel channel("mine", ChannelOptions().connector(
                              [](const ConnectContext&) { return never_connecting(nullptr); }));

  const Status status = sync_wait(call_with_deadline(ClientStub(channel, test_methods)));

  EXPECT_EQ(status.code(), StatusCode::deadline_exceeded) << status.to_string();
}

Task<void> call_one_after_the_other(const ClientStub& stub, int count) {
  for (int i = 0; i < count; ++i) {
    const std::vector<Status> outcomes = co_await call_together(stub, 1);
    EXPECT_TRUE(outcomes.at(0).ok()) << outcomes.at(0).to_string();
  }
}

TEST_F(LoopConnectionTest, AConnectionThatSaidGoawayIsReplacedAndNoCallFails) {
  const auto serve_one = [](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.session().send_goaway(http2::ErrorCode::no_error, "restarting");
    peer.answer(*stream, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  };
  ScriptedServer server({serve_one});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  sync_wait(call_one_after_the_other(stub, 3));

  EXPECT_EQ(server.connection_count(), 3U);
}

/// On a loop that ends with it, as that of any thread does.
void sync_wait_elsewhere(Task<void> task) {
  std::thread([&task] { sync_wait(std::move(task)); }).join();
}

TEST_F(LoopConnectionTest, AThreadUsesItsConnectionFromOneSyncWaitToTheNext) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  sync_wait(call_one_after_the_other(stub, 2));
  sync_wait(call_one_after_the_other(stub, 2));

  EXPECT_EQ(server.connection_count(), 1U);
}

TEST_F(LoopConnectionTest, AConnectionThatDiedBetweenTwoSyncWaitsIsReplaced) {
  ScriptedServer server({[](SessionPeer& peer) { peer.answer(*peer.next_call(), "reply"); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  for (int round = 1; round <= 3; ++round) {
    sync_wait(call_one_after_the_other(stub, 1));
    EXPECT_EQ(server.connection_count(), static_cast<std::size_t>(round));
    server.join();
  }
}

TEST_F(LoopConnectionTest, EachLoopHasAConnectionOfItsOwn) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  sync_wait(call_one_after_the_other(stub, 2));
  sync_wait_elsewhere(call_one_after_the_other(stub, 2));

  EXPECT_EQ(server.connection_count(), 2U);
}

Task<void> leave_a_call_waiting(const ClientStub& stub, std::optional<AsyncUnaryCall<Text>>& kept) {
  kept = stub.unary_async<Text>(unary_method, text_of("request"), patient());
  co_await sleep_for(1ms);
}

Task<void> start_and_drop(ClientStub stub) {
  static_cast<void>(stub.unary_async<Text>(unary_method, text_of("request"), patient()));
  co_return;
}

TEST_F(LoopConnectionTest, ALoopAndAChannelMayGoAtTheSameTime) {
  std::vector<std::unique_ptr<Transport>> peers;
  for (int round = 0; round < 100; ++round) {
    const auto connect =
        [&peers](const ConnectContext&) -> Task<Result<std::unique_ptr<Transport>>> {
      Result<detail::SocketPair> pair = detail::make_socketpair();
      peers.push_back(std::move(pair->second));
      std::unique_ptr<Transport> ours = std::move(pair->first);
      co_return ours;
    };
    auto channel = std::make_unique<Channel>("mine", ChannelOptions().connector(connect));
    auto loop = std::make_unique<EventLoop>();
    spawn(*loop, start_and_drop(ClientStub(*channel, test_methods)));
    loop->poll();
    std::barrier together(2);

    std::jthread other([&] {
      together.arrive_and_wait();
      loop.reset();
    });
    together.arrive_and_wait();
    channel.reset();
  }

  EXPECT_EQ(peers.size(), 100U);
}

TEST_F(LoopConnectionTest, ACallThatOutlivesItsLoopHasEnded) {
  std::optional<AsyncUnaryCall<Text>> kept;
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.wait_for_end()); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  sync_wait_elsewhere(leave_a_call_waiting(stub, kept));

  ASSERT_TRUE(kept.has_value());
  EXPECT_TRUE(kept->is_done());
}

TEST_F(LoopConnectionTest, ACallThatOutlivesItsLoopMayBeCancelled) {
  std::optional<AsyncUnaryCall<Text>> kept;
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.wait_for_end()); }});
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  sync_wait_elsewhere(leave_a_call_waiting(stub, kept));
  kept->cancel();

  EXPECT_TRUE(kept->is_done());
}

/// Attempts to connect that take as long as they may, and what became of them.
class SlowConnector final : public Connector {
 public:
  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context) override {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    tokens.push_back(context.cancellation());
    ends.push_back(std::move(pair->second));
    return never_connecting(std::move(pair->first));
  }
  bool was_cancelled(std::size_t attempt) {
    return tokens.at(attempt).stop_requested() &&
           read_kind(*ends.at(attempt)) == IoResult::Kind::end_of_stream;
  }

  std::vector<std::stop_token> tokens;
  std::vector<std::unique_ptr<Transport>> ends;
};

class Cancelled : public LogCheckedTest {
 protected:
  std::shared_ptr<SlowConnector> connector_ = std::make_shared<SlowConnector>();
  Channel channel_{"mine", ChannelOptions().connector(connector_)};
  ClientStub stub_{channel_, test_methods};
};

Task<void> drop_cancel_and_be_late(const ClientStub& stub, SlowConnector& connector) {
  {
    auto dropped = stub.unary_async<Text>(unary_method, text_of("a"), patient());
    auto cancelled = stub.unary_async<Text>(unary_method, text_of("b"), patient());
    auto late = stub.unary_async<Text>(unary_method, text_of("c"), CallOptions().timeout(5ms));
    cancelled.cancel();
    const Result<Text> reply = co_await late;
    EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
    EXPECT_FALSE(connector.was_cancelled(0));  // one still waits
  }
  co_await sleep_for(1ms);
  EXPECT_TRUE(connector.was_cancelled(0));
  EXPECT_EQ(connector.tokens.size(), 1U);

  auto next = stub.unary_async<Text>(unary_method, text_of("d"), CallOptions().timeout(5ms));
  const Result<Text> reply = co_await next;
  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
  EXPECT_EQ(connector.tokens.size(), 2U);
  EXPECT_FALSE(connector.tokens.at(1) == connector.tokens.at(0));
}

TEST_F(Cancelled, IsAnAttemptThatNoCallWaitsForAnyMore) {
  sync_wait(drop_cancel_and_be_late(stub_, *connector_));
}

TEST_F(Cancelled, IsAnAttemptWhoseLoopGoes) {
  std::optional<AsyncUnaryCall<Text>> kept;

  sync_wait_elsewhere(leave_a_call_waiting(stub_, kept));

  EXPECT_TRUE(connector_->was_cancelled(0));
  EXPECT_TRUE(kept->is_done());
}

Task<void> call_on_a_channel_that_goes(std::shared_ptr<SlowConnector> connector) {
  {
    Channel channel("mine", ChannelOptions().connector(connector));
    auto call =
        ClientStub(channel, test_methods).unary_async<Text>(unary_method, text_of("a"), patient());
    EXPECT_FALSE(connector->was_cancelled(0));
  }
  co_await sleep_for(1ms);
  EXPECT_TRUE(connector->was_cancelled(0));
}

TEST_F(Cancelled, IsAnAttemptWhoseChannelGoes) {
  sync_wait(call_on_a_channel_that_goes(connector_));
}

/// On a loop whose time the test moves. It is ahead, so that no deadline passes in real time.
class LoopConnectionTimeTest : public LogCheckedTest, protected ManualLoop {
 protected:
  std::vector<Status> outcomes_;
};

Task<Result<std::unique_ptr<Transport>>> connect_when_told(int told, ScriptedServer& server) {
  co_await wait_readable(told);
  co_return server.accept();
}

Task<void> call_hasty_and_patient(const ClientStub& stub,
                                  TimePoint deadline,
                                  std::vector<Status>& outcomes) {
  auto hasty = stub.unary_async<Text>(unary_method, text_of("a"), CallOptions().deadline(deadline));
  auto calm = stub.unary_async<Text>(unary_method, text_of("b"), CallOptions());
  const Result<Text> first = co_await hasty;
  outcomes.push_back(first.status());
  const Result<Text> second = co_await calm;
  outcomes.push_back(second.status());
  EventLoop::current()->stop();
}

TEST_F(LoopConnectionTimeTest, EachCallThatWaitsForTheConnectionHasItsOwnDeadline) {
  ScriptedServer server({[](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); }});
  const detail::UniqueFd told(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  {
    Channel channel(
        "mine", ChannelOptions().connect_timeout(1000h).connector(
                    [&](const ConnectContext&) { return connect_when_told(told.get(), server); }));
    const ClientStub stub(channel, test_methods);
    spawn(loop_, call_hasty_and_patient(stub, clock_.now() + 1s, outcomes_));
    settle();
    advance(1s - 1ns);
    EXPECT_TRUE(outcomes_.empty());

    advance(1ns);
    ASSERT_EQ(outcomes_.size(), 1U);
    EXPECT_EQ(outcomes_[0].code(), StatusCode::deadline_exceeded);
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(told.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    loop_.run();
  }
  settle();  // which closes the connection

  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_TRUE(outcomes_[1].ok()) << outcomes_[1].to_string();
}

/// A server that opens the connection, and from then on reads nothing.
class DeafServer final : public Transport {
 public:
  explicit DeafServer(bool& is_over) : is_over_(is_over) {}
  IoResult try_read(std::span<std::byte> into) override {
    if (std::exchange(is_deaf_, true)) return IoResult::would_block();
    std::ranges::copy(detail::as_bytes(said_), into.begin());
    return IoResult::bytes(said_.size());
  }
  IoResult try_write(std::span<const iovec> from) override {
    return is_deaf_ ? IoResult::would_block() : IoResult::bytes(from.front().iov_len);
  }
  WaitAdvice prepare_wait(Interest) override { return WaitAdvice::poll(never_.get(), POLLIN); }
  void abort(std::error_code) noexcept override { is_over_ = true; }
  const PeerIdentity& peer() const noexcept override { return peer_; }

 private:
  const std::string said_ = frames::settings() + frames::settings_ack();
  const PeerIdentity peer_;
  const detail::UniqueFd never_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  bool& is_over_;
  bool is_deaf_ = false;
};

Task<Result<std::unique_ptr<Transport>>> connect_to_the_deaf(bool& is_over) {
  co_return std::make_unique<DeafServer>(is_over);
}

Task<void> call_once(const ClientStub& stub, TimePoint deadline, std::vector<Status>& outcomes) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), CallOptions().deadline(deadline));
  const Result<Text> reply = co_await call;
  outcomes.push_back(reply.status());
}

TEST_F(LoopConnectionTimeTest, AServerThatReadsNothingIsLeftWhenNoCallWaitsForItAnyMore) {
  const detail::Duration patience = ConnectionLimits().stall_timeout;
  bool is_over = false;
  Channel channel("mine", ChannelOptions().connect_timeout(1000h).connector(
                              [&](const ConnectContext&) { return connect_to_the_deaf(is_over); }));
  const ClientStub stub(channel, test_methods);
  spawn(loop_, call_once(stub, clock_.now() + 1s, outcomes_));
  settle();

  advance(1s);
  ASSERT_EQ(outcomes_.size(), 1U);
  EXPECT_EQ(outcomes_[0].code(), StatusCode::deadline_exceeded);
  advance(patience - 1s - 1ns);
  EXPECT_FALSE(is_over) << "its RST_STREAM may still go";
  advance(1ns);

  EXPECT_TRUE(is_over);
}

Task<Status> call_until_cancelled(const ClientStub& stub, CallOptions options) {
  auto call = stub.unary_async<Text>(unary_method, text_of("a"), options);
  const Result<Text> reply = co_await call;
  co_return reply.status();
}

TEST_F(LoopConnectionTest, AStopRequestEndsACallThatStillConnects) {
  std::stop_source stop;
  std::promise<void> connecting;
  Channel channel("mine", ChannelOptions().connector([&](const ConnectContext&) {
    connecting.set_value();
    return never_connecting(nullptr);
  }));
  const std::jthread stopper([&] {
    connecting.get_future().wait();
    stop.request_stop();
  });

  const Status status = sync_wait(call_until_cancelled(ClientStub(channel, test_methods),
                                                       patient().cancellation(stop.get_token())));

  EXPECT_EQ(status.code(), StatusCode::cancelled) << status.to_string();
}

TEST_F(LoopConnectionTest, CallsThatWaitForRoomAreRepeatedWhenTheServerLeaves) {
  const auto leave = [](SessionPeer& peer) {
    http2::Stream* const warm = peer.next_call();
    ASSERT_NE(warm, nullptr);
    peer.answer(*warm, "reply");
    http2::Stream* const stream = peer.next_call();
    ASSERT_NE(stream, nullptr);
    peer.session().send_goaway(http2::ErrorCode::no_error, "restarting");
    peer.answer(*stream, "reply");
    EXPECT_TRUE(peer.wait_for_end());
  };
  const auto serve = [](SessionPeer& peer) { EXPECT_TRUE(peer.answer_all("reply")); };
  ScriptedServer server({leave, serve}, one_stream_at_a_time());
  Channel channel("mine", server.options());
  const ClientStub stub(channel, test_methods);

  const std::vector<Status> outcomes = sync_wait(warm_up_and_call_together(stub, 5));

  for (const Status& status : outcomes)
    EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(server.connection_count(), 2U);
}

}  // namespace
}  // namespace nearcall::test
