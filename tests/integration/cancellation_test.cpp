// SPDX-License-Identifier: Apache-2.0
// Deadlines, cancellation and loss, on both sides of a call.
#include "integration/echo_server.hpp"
#include "support/enough_time.hpp"

#include <functional>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

EchoRequest waiting() {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  return request;
}

class Cancellation : public EchoServerTest {
 protected:
  /// Has a call end at its deadline, of which the handler learns; false if it never began.
  bool ends_at_deadline(const std::function<Status()>& call) {
    EXPECT_EQ(call().code(), StatusCode::deadline_exceeded);
    stop();  // what was sent is there now, and what has begun goes on to its end
    const bool has_begun = service_.started.reaches(1, 0ms);
    EXPECT_EQ(service_.cancelled.reaches(1, 0ms), has_begun);
    start(ServerOptions());
    return has_begun;
  }
};

TEST_F(Cancellation, ADeadlineEndsABlockingCallAndTheHandlerLearnsOfIt) {
  with_enough_time([this](std::chrono::milliseconds timeout) {
    return ends_at_deadline(
        [&] { return echo_.Unary(waiting(), CallOptions().timeout(timeout)).status(); });
  });
}

TEST_F(Cancellation, ADeadlineThatHasPassedEndsTheCallAtOnce) {
  const Result<EchoReply> reply = echo_.Unary(waiting(), CallOptions().timeout(0ms));

  EXPECT_EQ(reply.status().code(), StatusCode::deadline_exceeded);
}

TEST_F(Cancellation, AStopTokenEndsABlockingCallFromAnotherThread) {
  std::stop_source stop;
  std::jthread canceller([&] {
    EXPECT_TRUE(service_.started.reaches(1));
    stop.request_stop();
  });

  const Result<EchoReply> reply =
      echo_.Unary(waiting(), CallOptions().timeout(60s).cancellation(stop.get_token()));

  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_F(Cancellation, AStopThatWasRequestedBeforeEndsTheCallToo) {
  std::stop_source stop;
  stop.request_stop();

  const Result<EchoReply> reply =
      echo_.Unary(waiting(), CallOptions().timeout(60s).cancellation(stop.get_token()));

  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
}

TEST_F(Cancellation, CancelFromAnotherThreadEndsABlockingRead) {
  auto call = echo_.Expand(waiting(), CallOptions().timeout(60s));
  std::jthread canceller([&] {
    EXPECT_TRUE(service_.started.reaches(1));
    call.cancel();
  });

  EXPECT_FALSE(call.read().has_value());

  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_F(Cancellation, DroppingABlockingCallCancelsIt) {
  {
    auto call = echo_.Expand(waiting(), CallOptions().timeout(60s));
    ASSERT_TRUE(service_.started.reaches(1));
  }

  EXPECT_TRUE(service_.cancelled.reaches(1));
}

Task<Status> await_until_deadline(const Echo::Client& echo, std::chrono::milliseconds timeout) {
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(waiting(), CallOptions().timeout(timeout));
  co_return reply.status();
}

TEST_F(Cancellation, ADeadlineEndsAnAwaitedCall) {
  with_enough_time([this](std::chrono::milliseconds timeout) {
    return ends_at_deadline([&] { return sync_wait(await_until_deadline(echo_, timeout)); });
  });
}

Task<void> await_until_cancelled(const Echo::Client& echo, Counter* started) {
  auto call = echo.UnaryAsync(waiting(), CallOptions().timeout(60s));
  std::jthread canceller([&call, started] {
    EXPECT_TRUE(started->reaches(1));
    call.cancel();
  });
  const Result<EchoReply> reply = co_await call;
  EXPECT_EQ(reply.status().code(), StatusCode::cancelled);
}

TEST_F(Cancellation, CancelFromAnotherThreadEndsAnAwaitedCall) {
  sync_wait(await_until_cancelled(echo_, &service_.started));
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

Task<void> start_and_drop(const Echo::Client& echo) {
  for (int i = 0; i < 1000; ++i) {
    auto call = echo.UnaryAsync(request_of("x"), CallOptions().timeout(60s));
    if (i % 3 == 0) co_await sleep_for(10us);
  }
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(request_of("last"), CallOptions().timeout(60s));
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(Cancellation, AThousandAwaitedCallsThatAreDroppedLeaveTheConnectionInOrder) {
  sync_wait(start_and_drop(echo_));
}

TEST_F(Cancellation, ManyCallsCancelledInARowLeaveTheConnectionInOrder) {
  for (int i = 0; i < 5'000; ++i) {
    auto call = echo_.Chat(CallOptions().timeout(60s));
    call.cancel();
    ASSERT_EQ(call.finish().code(), StatusCode::cancelled);
  }

  EXPECT_TRUE(echo_.Unary(request_of("last"), CallOptions().timeout(10s)).ok());
}

class Loss : public EchoServerTest {};

TEST_F(Loss, AStopWaitsForARunningCall) {
  EchoRequest request;
  request.set_wait_for_stop(true);
  request.set_payload("in good order");
  std::jthread stopper([this] {
    EXPECT_TRUE(service_.started.reaches(1));
    server_->stop();
  });

  const Result<EchoReply> reply = echo_.Unary(request, CallOptions().timeout(60s));

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->payload(), "in good order");
}

TEST_F(Loss, ACallThatOutlivesTheDrainTimeoutIsUnavailable) {
  stop();
  start(ServerOptions().drain_timeout(50ms));
  std::jthread stopper([this] {
    EXPECT_TRUE(service_.started.reaches(1));
    server_->stop();
  });

  const Result<EchoReply> reply = echo_.Unary(waiting(), CallOptions().timeout(60s));

  EXPECT_EQ(reply.status().code(), StatusCode::unavailable);
  EXPECT_TRUE(service_.cancelled.reaches(1));
}

TEST_F(Loss, AfterARestartTheNextCallFindsTheNewServer) {
  ASSERT_TRUE(echo_.Unary(request_of("one"), CallOptions().timeout(10s)).ok());

  stop();
  EXPECT_EQ(echo_.Unary(request_of("two"), CallOptions().timeout(10s)).status().code(),
            StatusCode::unavailable);
  start(ServerOptions());

  const Result<EchoReply> reply = echo_.Unary(request_of("three"), CallOptions().timeout(10s));
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(Loss, ADestroyedServerEndsItsCallsAtOnce) {
  std::jthread destroyer([this] {
    EXPECT_TRUE(service_.started.reaches(1));
    server_.reset();
  });

  const Result<EchoReply> reply = echo_.Unary(waiting(), CallOptions().timeout(60s));

  EXPECT_EQ(reply.status().code(), StatusCode::unavailable);
}

}  // namespace
}  // namespace nearcall::test
