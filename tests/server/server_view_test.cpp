// SPDX-License-Identifier: Apache-2.0
// ServerView: what a server is seen to do, from other threads, while it serves and after.
#include "server/wrapper_service.hpp"
#include "support/session_peer.hpp"

#include <nearcall/server_view.hpp>
#include <nearcall/sync_wait.hpp>

#include <gmock/gmock.h>

#include <atomic>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ServerViewTest : public WrapperServerTest {
 protected:
  /// However busy the machine is.
  static LookOptions patient() {
    LookOptions options;
    options.patience = std::chrono::minutes(1);
    return options;
  }
  static LookOptions only(std::uint64_t first, std::size_t most) {
    LookOptions options = patient();
    options.first_connection = first;
    options.max_connections = most;
    return options;
  }
  ServerReport look(LookOptions options = patient()) const {
    const std::optional<ServerReport> report = sync_wait(ServerView(*server_).look(options));
    EXPECT_TRUE(report);
    return report.value_or(ServerReport());
  }
  /// With all of its request.
  static http2::Stream& begin_call(SessionPeer& peer, std::string_view path) {
    http2::Stream& stream = peer.open(SessionPeer::request_to(path));
    peer.bytes(stream, framed(text_of("")), /*end_stream=*/true);
    return stream;
  }
  /// Until so many calls are over; what there is after eight seconds.
  CallCounts calls_once(std::uint64_t over) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(8);
    CallCounts calls = look().calls;
    while (calls.succeeded + calls.failed < over && std::chrono::steady_clock::now() < deadline)
      calls = look().calls;
    return calls;
  }
};

TEST_F(ServerViewTest, BeforeTheStartThereIsNothingToSee) {
  server_ = std::make_unique<Server>();

  const ServerReport report = look();

  EXPECT_TRUE(report.is_whole);
  EXPECT_THAT(report.addresses, IsEmpty());
  EXPECT_THAT(report.connections, IsEmpty());
}

TEST_F(ServerViewTest, ThereIsNoReportOfAServerThatIsGone) {
  start();
  const ServerView view(*server_);
  EXPECT_TRUE(view.is_there());

  stop();

  EXPECT_FALSE(view.is_there());
  EXPECT_FALSE(sync_wait(view.look()));
}

TEST_F(ServerViewTest, CallsAreCountedByHowTheyEnd) {
  start();
  service_.on_echo = [](ServerContext&, const Text& request) -> Result<Text> {
    if (request.value() == "no") return Status::not_found("no");
    return request;
  };
  ASSERT_TRUE(call(WrapperService::echo, "yes"));
  ASSERT_FALSE(call(WrapperService::echo, "no"));
  ASSERT_TRUE(call(WrapperService::echo, "yes again"));

  const ServerReport report = look();

  EXPECT_EQ(report.calls.started, 3U);
  EXPECT_EQ(report.calls.succeeded, 2U);
  EXPECT_EQ(report.calls.failed, 1U);
  EXPECT_THAT(report.addresses, ElementsAre(target()));
  ASSERT_EQ(report.connections.size(), 1U);
  const ConnectionReport& connection = report.connections.front();
  EXPECT_EQ(connection.number, 1U);
  EXPECT_EQ(connection.streams_started, 3U);
  EXPECT_EQ(connection.streams_succeeded, 3U);
  EXPECT_EQ(connection.streams_failed, 0U);
  EXPECT_EQ(connection.peer.pid(), ::getpid());
  EXPECT_EQ(connection.keepalives_sent, 0U);
  EXPECT_GT(connection.send_window, 0);
  EXPECT_GT(connection.receive_window, 0);
}

TEST_F(ServerViewTest, ACallThatIsCancelledHasFailed) {
  start();
  SessionPeer peer(path());
  http2::Stream& stream = begin_call(peer, "/test.Wrapper/Hold");
  ASSERT_TRUE(peer.flush());
  ASSERT_TRUE(service_.started.wait_for(1));
  EXPECT_EQ(look().calls.failed, 0U);

  peer.reset(stream);
  ASSERT_TRUE(peer.ping());

  EXPECT_EQ(calls_once(1).failed, 1U);
  const ServerReport report = look();
  EXPECT_EQ(report.calls.started, 1U);
  ASSERT_EQ(report.connections.size(), 1U);
  EXPECT_EQ(report.connections.front().streams_failed, 1U);
}

TEST_F(ServerViewTest, CallsOfAConnectionThatIsLostHaveFailed) {
  start();
  {
    SessionPeer peer(path());
    for (int i = 0; i < 3; ++i)
      begin_call(peer, "/test.Wrapper/Hold");
    ASSERT_TRUE(peer.flush());
    ASSERT_TRUE(service_.started.wait_for(3));
  }

  const CallCounts calls = calls_once(3);

  EXPECT_EQ(calls.started, 3U);
  EXPECT_EQ(calls.succeeded, 0U);
  EXPECT_EQ(calls.failed, 3U);
}

TEST_F(ServerViewTest, AMethodThatNobodyHasIsACallThatFailed) {
  start();
  SessionPeer peer(path());
  peer.open(SessionPeer::request_to("/test.Wrapper/Nothing"));
  ASSERT_TRUE(peer.ping());

  EXPECT_EQ(calls_once(1).failed, 1U);
}

TEST_F(ServerViewTest, ConnectionsOfAllLoopsComeByTheirNumbers) {
  start(ServerOptions().threads(3));
  std::vector<std::unique_ptr<SessionPeer>> peers;
  for (int i = 0; i < 7; ++i) {
    peers.push_back(std::make_unique<SessionPeer>(path()));
    ASSERT_TRUE(peers.back()->ping());
  }
  const auto numbers = [](const ServerReport& report) {
    std::vector<std::uint64_t> numbers;
    for (const ConnectionReport& connection : report.connections)
      numbers.push_back(connection.number);
    return numbers;
  };

  const ServerReport first = look(only(0, 2));
  const ServerReport middle = look(only(3, 4));
  const ServerReport last = look(only(6, 2));
  const ServerReport none = look(only(8, 2));

  EXPECT_THAT(numbers(first), ElementsAre(1, 2));
  EXPECT_TRUE(first.has_more);
  EXPECT_THAT(numbers(middle), ElementsAre(3, 4, 5, 6));
  EXPECT_TRUE(middle.has_more);
  EXPECT_THAT(numbers(last), ElementsAre(6, 7));
  EXPECT_FALSE(last.has_more);
  EXPECT_THAT(numbers(none), IsEmpty());
  EXPECT_FALSE(none.has_more);
}

TEST_F(ServerViewTest, WhatABusyLoopHasIsMissing) {
  std::binary_semaphore may_go(0);
  start();
  service_.on_echo = [&](ServerContext&, const Text& request) {
    may_go.acquire();
    return Result<Text>(request);
  };
  log_capture().allow("");  // of the handler that takes long
  SessionPeer peer(path());
  begin_call(peer, "/test.Wrapper/Echo");
  ASSERT_TRUE(peer.flush());
  ASSERT_TRUE(service_.started.wait_for(1));
  LookOptions hasty;
  hasty.patience = std::chrono::milliseconds(1);

  const ServerReport part = look(hasty);
  may_go.release();
  const ServerReport whole = look();

  EXPECT_FALSE(part.is_whole);
  EXPECT_THAT(part.connections, IsEmpty());
  EXPECT_TRUE(whole.is_whole);
  EXPECT_EQ(whole.connections.size(), 1U);
}

TEST_F(ServerViewTest, AServerThatHasStoppedTellsWhatItDid) {
  start(ServerOptions().threads(2));
  ASSERT_TRUE(call(WrapperService::echo, ""));
  server_->stop();
  server_->wait();

  const ServerReport report = look();

  EXPECT_TRUE(report.is_whole);
  EXPECT_EQ(report.calls.succeeded, 1U);
  EXPECT_THAT(report.connections, IsEmpty());
}

TEST_F(ServerViewTest, ItIsSeenFromOtherThreadsWhileConnectionsComeAndGo) {
  constexpr int clients = 3;
  constexpr int rounds = 30;
  start(ServerOptions().threads(2));
  std::atomic<int> left{clients};
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        const Channel channel(target());
        const ClientStub client(channel, WrapperService::methods);
        EXPECT_TRUE(client.unary<Text>(WrapperService::echo, text_of(""), CallOptions()).ok());
      }
      --left;
    });
  }

  std::uint64_t seen = 0;
  while (left > 0) {
    const ServerReport report = look();
    EXPECT_GE(report.calls.started, seen);
    EXPECT_LE(report.calls.succeeded + report.calls.failed, report.calls.started);
    seen = report.calls.started;
  }
  for (std::thread& thread : threads)
    thread.join();

  const CallCounts calls = calls_once(clients * rounds);
  EXPECT_EQ(calls.started, static_cast<std::uint64_t>(clients * rounds));
  EXPECT_EQ(calls.succeeded, calls.started);
}

}  // namespace
}  // namespace nearcall::test
