// SPDX-License-Identifier: Apache-2.0
// Processes that are killed in the middle: the other side learns of it at once, and nothing is
// left.
#include "integration/server_process.hpp"

#include <chrono>
#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

EchoRequest waiting() {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  return request;
}

EchoRequest endless() {
  EchoRequest request;
  request.set_payload(std::string(1000, 'x'));
  request.set_replies(0xffff'ffff);
  return request;
}

class ServerKilled : public ServerProcessTest {
 protected:
  /// Kills the server from another thread once a handler runs.
  std::jthread killer() {
    return std::jthread([this] {
      EXPECT_TRUE(server_.has_started());
      server_.kill();
      killed_at_ = Clock::now();
    });
  }
  void expect_soon() const {
    EXPECT_LT(Clock::now() - killed_at_, is_sanitized ? 5s : 1s) << "after the server's death";
  }

  Clock::time_point killed_at_;  // of the killer, until it is joined
};

TEST_F(ServerKilled, InMidCallIsUnavailableAtOnce) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  std::jthread killing = killer();

  const Status status = echo.Unary(waiting(), CallOptions().timeout(60s)).status();

  killing.join();
  expect_soon();
  EXPECT_EQ(status.code(), StatusCode::unavailable) << status.to_string();
}

TEST_F(ServerKilled, InMidStreamIsUnavailableAtOnce) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  auto call = echo.Expand(endless(), CallOptions().timeout(60s));
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(call.read().has_value());

  std::jthread killing = killer();
  while (call.read().has_value()) {
  }

  killing.join();
  expect_soon();
  EXPECT_EQ(call.finish().code(), StatusCode::unavailable);
}

TEST_F(ServerKilled, WhileAWriterWaitsForRoomIsUnavailableAtOnce) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  auto call = echo.Expand(waiting(), CallOptions().timeout(60s));
  auto upload = echo.Chat(CallOptions().timeout(60s));
  EchoRequest request = request_of(std::string(100'000, 'x'), 1000);

  std::jthread killing = killer();
  while (upload.write(request)) {
  }

  killing.join();
  expect_soon();
  EXPECT_EQ(upload.finish().code(), StatusCode::unavailable);
  EXPECT_EQ(call.finish().code(), StatusCode::unavailable);
}

Task<void> await_both(const Echo::Client& echo) {
  auto stream = echo.ExpandAsync(endless(), CallOptions().timeout(60s));
  auto call = echo.UnaryAsync(waiting(), CallOptions().timeout(60s));
  while ((co_await stream.read()).has_value()) {
  }
  const Status of_stream = co_await stream.finish();
  const Result<EchoReply> of_call = co_await call;
  EXPECT_EQ(of_stream.code(), StatusCode::unavailable) << of_stream.to_string();
  EXPECT_EQ(of_call.status().code(), StatusCode::unavailable) << of_call.status().to_string();
}

TEST_F(ServerKilled, WhileALoopWaitsIsUnavailableAtOnce) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  std::jthread killing = killer();

  sync_wait(await_both(echo));

  killing.join();
  expect_soon();
}

TEST_F(ServerKilled, AndStartedAgainServesTheSameChannelAtOnce) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  ASSERT_TRUE(echo.Unary(request_of("one"), CallOptions().timeout(20s)).ok());

  server_.kill();
  ServerProcess next(server_.path());
  ASSERT_TRUE(next.is_ready());

  const Result<EchoReply> reply = echo.Unary(request_of("two"), CallOptions().timeout(20s));
  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->payload(), "two");
}

class ClientKilled : public ServerProcessTest {
 protected:
  std::size_t descriptors_of_idle_server() {
    EXPECT_TRUE(serves());
    EXPECT_TRUE(server_.has_started()) << "that was the honest one";
    return open_descriptors(server_.pid());
  }
  /// Whether the descriptors of dead clients get closed; that of serves() may still be open.
  bool is_back_to(std::size_t before) {
    for (int i = 0; i < 1000; ++i) {
      if (serves() && open_descriptors(server_.pid()) <= before + 1) return true;
    }
    return false;
  }
  /// A client process that never ends by itself.
  template <class Call>
  void run_and_kill(const Call& call) {
    ChildProcess client([&] {
      Channel channel(server_.target());
      const Echo::Client echo(channel);
      call(echo);
      return 0;
    });
    EXPECT_TRUE(server_.has_started());
    client.kill();
  }
};

TEST_F(ClientKilled, InMidCallCancelsTheHandlerAndLeavesNothingOpen) {
  const std::size_t before = descriptors_of_idle_server();
  for (int i = 0; i < 20; ++i) {
    run_and_kill([](const Echo::Client& echo) {
      static_cast<void>(echo.Unary(waiting(), CallOptions().timeout(60s)).ok());
    });
    EXPECT_TRUE(server_.has_cancelled());
  }

  EXPECT_TRUE(is_back_to(before));
}

TEST_F(ClientKilled, InMidStreamCancelsTheHandlersAndLeavesNothingOpen) {
  const std::size_t before = descriptors_of_idle_server();
  for (int i = 0; i < 10; ++i) {
    run_and_kill([](const Echo::Client& echo) {
      auto call = echo.Expand(endless(), CallOptions().timeout(60s));
      while (call.read().has_value()) {
      }
    });
    EXPECT_TRUE(server_.has_cancelled());
  }

  EXPECT_TRUE(is_back_to(before));
}

TEST_F(ClientKilled, LeavesTheServerAbleToStopInGoodOrder) {
  run_and_kill([](const Echo::Client& echo) {
    static_cast<void>(echo.Unary(waiting(), CallOptions().timeout(60s)).ok());
  });
  EXPECT_TRUE(server_.has_cancelled());

  EXPECT_EQ(server_.stop(), 0);
}

}  // namespace
}  // namespace nearcall::test
