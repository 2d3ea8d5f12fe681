// SPDX-License-Identifier: Apache-2.0
// ServerLoop: a drain that is waited for, one that is forced, and handlers that do not listen.
#include "server/server_loop.hpp"

#include "server/wrapper_service.hpp"
#include "support/manual_loop.hpp"
#include "support/session_peer.hpp"
#include "transport/socket_transport.hpp"

#include <future>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;

class ServerLoopTest : public WrapperServerTest {
 protected:
  /// A call on a thread of its own, once its handler runs.
  std::future<Result<Text>> call_under_way(WrapperService::MethodIndex method,
                                           std::string request) {
    std::future<Result<Text>> running =
        std::async(std::launch::async,
                   [this, method, text = std::move(request)] { return call(method, text); });
    EXPECT_TRUE(service_.started.wait_for(1));
    return running;
  }
};

TEST_F(ServerLoopTest, ADrainWaitsForTheCallsUnderWay) {
  start();
  auto running = call_under_way(WrapperService::hold, "stop");

  stop();

  const Result<Text> reply = running.get();
  EXPECT_TRUE(reply) << reply.status().to_string();
}

TEST_F(ServerLoopTest, AfterTheDrainTimeoutCallsAreCancelledAndAnswered) {
  start(ServerOptions().drain_timeout(1ms));
  auto running = call_under_way(WrapperService::hold, "until cancelled");

  stop();

  EXPECT_TRUE(service_.cancelled.wait_for(1));
  const Result<Text> reply = running.get();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), StatusCode::unavailable);
  EXPECT_EQ(reply.error().message(), "the server stops");
}

TEST_F(ServerLoopTest, AHandlerThatDoesNotListenIsDestroyedAndTheLogSaysSo) {
  start(ServerOptions().drain_timeout(1ms));
  auto running = call_under_way(WrapperService::stuck, "x");

  stop();

  EXPECT_TRUE(service_.destroyed.wait_for(1));
  EXPECT_TRUE(log_capture().take("handlers that did not return after they were cancelled"));
  EXPECT_EQ(running.get().status().code(), StatusCode::unavailable);
}

TEST_F(ServerLoopTest, TheConnectionClosesWhenItsLastCallIsOver) {
  start();
  SessionPeer client(path());
  http2::Stream& under_way = client.open(SessionPeer::request_to("/test.Wrapper/Chat"));
  ASSERT_TRUE(service_.started.wait_for(1));

  server_->stop();
  client.send(under_way, framed(text_of("a")), /*end_stream=*/true);

  const auto answer = client.answer_to(under_way);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->fields.at("grpc-status"), "0");
  EXPECT_EQ(client.read_to_the_end(), http2::ErrorCode::no_error);
  server_->wait();
}

TEST_F(ServerLoopTest, WithoutConnectionsADrainIsOverAtOnce) {
  EventLoop loop;
  detail::ServerShared shared{ServerOptions()};
  int drained = 0;
  detail::ServerLoop server_loop(shared, loop, [&] { ++drained; });

  server_loop.begin_drain();
  server_loop.begin_drain();

  EXPECT_EQ(drained, 1);
}

TEST_F(ServerLoopTest, CountsTheConnectionsThatBegunAndHowTheyEnded) {
  EventLoop loop;
  detail::ServerShared shared{ServerOptions()};
  detail::ServerLoop server_loop(shared, loop, [] {});
  Result<detail::SocketPair> first = detail::make_socketpair();
  Result<detail::SocketPair> second = detail::make_socketpair();
  ASSERT_TRUE(first && second);
  for (auto* const pair : {&first, &second}) {
    server_loop.expect_one();
    server_loop.add(std::move((*pair)->first), detail::ConnectionQuota::Place());
  }
  EXPECT_EQ(shared.counters().begun(), 2U);

  first->second.reset();
  loop.poll();

  EXPECT_EQ(shared.counters().ended(detail::EndReason::peer_closed), 1U);
  EXPECT_EQ(shared.counters().ended(detail::EndReason::cancelled), 0U);
}

/// A drain on a loop whose time the test moves.
class ServerLoopTimeTest : public LogCheckedTest, protected ManualLoop {
 protected:
  WrapperService service_;
};

TEST_F(ServerLoopTimeTest, AConnectionWithAStuckHandlerIsNoLoadAnyMoreOnceItIsDestroyed) {
  detail::ServerShared shared{ServerOptions().drain_timeout(1s)};
  shared.registry().add(service_);
  int drained = 0;
  detail::ServerLoop server_loop(shared, loop_, [&] { ++drained; });
  Result<detail::SocketPair> pair = detail::make_socketpair();
  ASSERT_TRUE(pair);
  server_loop.expect_one();
  server_loop.add(std::move(pair->first), detail::ConnectionQuota::Place());
  SessionPeer client(http2::Role::client, std::move(pair->second));
  client.send(client.open(SessionPeer::request_to("/test.Wrapper/Stuck")), framed(text_of("x")),
              /*end_stream=*/true);
  settle();
  ASSERT_EQ(service_.started.count(), 1);
  ASSERT_EQ(server_loop.load(), 1U);

  server_loop.begin_drain();
  advance(1s);
  advance(1s);

  EXPECT_EQ(service_.destroyed.count(), 1);
  EXPECT_TRUE(log_capture().take("handlers that did not return after they were cancelled"));
  EXPECT_EQ(drained, 1);
  EXPECT_EQ(server_loop.load(), 0U);
}

}  // namespace
}  // namespace nearcall::test
