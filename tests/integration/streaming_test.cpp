// SPDX-License-Identifier: Apache-2.0
// Streaming calls over a real socket: order, back-pressure, both forms.
#include "integration/echo_server.hpp"

#include <thread>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

class StreamingCall : public EchoServerTest {};

TEST_F(StreamingCall, OfTheServerBringsAllRepliesInOrder) {
  constexpr unsigned count = 100'000;
  auto call = echo_.Expand(request_of("reply", count), CallOptions().timeout(60s));

  EchoReply reply;
  unsigned read = 0;
  while (call.read(reply)) {
    ASSERT_EQ(reply.number(), read);
    ++read;
  }

  EXPECT_TRUE(call.finish().ok());
  EXPECT_EQ(read, count);
}

TEST_F(StreamingCall, OfTheClientBringsAllRequests) {
  auto call = echo_.Collect(CallOptions().timeout(60s));
  constexpr unsigned count = 20'000;
  for (unsigned i = 0; i < count; ++i)
    ASSERT_TRUE(call.write(request_of("1234567890")));

  const Result<EchoReply> reply = call.finish();

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->number(), count);
  EXPECT_EQ(reply->payload(), std::to_string(10 * count));
}

TEST_F(StreamingCall, InBothDirectionsAnswersEachRequest) {
  auto call = echo_.Chat(CallOptions().timeout(60s));

  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(call.write(request_of(std::to_string(i), 1)));
    const std::optional<EchoReply> reply = call.read();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->payload(), std::to_string(i));
  }

  EXPECT_TRUE(call.finish().ok());
}

TEST_F(StreamingCall, MayBeReadOnOneThreadAndWrittenOnAnother) {
  constexpr int count = 20'000;
  auto call = echo_.Chat(CallOptions().timeout(60s));
  std::jthread writer([&call] {
    for (int i = 0; i < count; ++i) {
      if (!call.write(request_of("x", 1))) return;
    }
    call.writes_done();
  });

  int read = 0;
  EchoReply reply;
  while (call.read(reply))
    ++read;

  EXPECT_EQ(read, count);
  EXPECT_TRUE(call.finish().ok());
}

TEST_F(StreamingCall, WithLargeMessagesBothWaysAtOnceDoesNotLockUp) {
  constexpr int count = 40;
  const std::string payload(1'000'000, 'x');
  auto call = echo_.Chat(CallOptions().timeout(60s));
  std::jthread writer([&] {
    for (int i = 0; i < count; ++i) {
      if (!call.write(request_of(payload, 1))) return;
    }
    call.writes_done();
  });

  int read = 0;
  while (const std::optional<EchoReply> reply = call.read()) {
    ASSERT_EQ(reply->payload().size(), payload.size());
    ++read;
  }

  EXPECT_EQ(read, count);
  EXPECT_TRUE(call.finish().ok());
}

TEST_F(StreamingCall, AMillionEmptyMessagesPassAtTheDefaultLimits) {
  constexpr unsigned count = 1'000'000;
  EchoRequest request;
  request.set_replies(count);
  auto call = echo_.Expand(request, CallOptions().timeout(100s));

  EchoReply reply;
  unsigned read = 0;
  while (call.read(reply))
    ++read;

  const Status status = call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(read, count);
}

TEST_F(StreamingCall, ASlowReaderStopsOnlyItsOwnStream) {
  auto slow = echo_.Expand(request_of(std::string(10'000, 'x'), 2'000), CallOptions().timeout(60s));
  ASSERT_TRUE(slow.read().has_value());

  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(echo_.Unary(request_of("quick"), CallOptions().timeout(10s)).ok());
  }

  unsigned read = 1;
  while (slow.read())
    ++read;
  EXPECT_EQ(read, 2'000U);
  EXPECT_TRUE(slow.finish().ok());
}

TEST_F(StreamingCall, HeadersComeBeforeTheFirstMessage) {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  auto call = echo_.Expand(request, CallOptions().timeout(60s).metadata("key", "value"));

  EXPECT_EQ(call.headers().get("header-key"), "value");

  call.cancel();
  EXPECT_EQ(call.finish().code(), StatusCode::cancelled);
}

Task<void> chat_awaited(const Echo::Client& echo) {
  auto call = echo.ChatAsync(CallOptions().timeout(60s));
  for (int i = 0; i < 1000; ++i) {
    const EchoRequest request = request_of(std::to_string(i), 1);
    const bool taken = co_await call.write(request);
    EXPECT_TRUE(taken);
    const std::optional<EchoReply> reply = co_await call.read();
    EXPECT_TRUE(reply.has_value());
    if (!reply) co_return;
    EXPECT_EQ(reply->payload(), std::to_string(i));
  }
  const Status status = co_await call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(StreamingCall, AwaitedInBothDirectionsAnswersEachRequest) {
  sync_wait(chat_awaited(echo_));
}

Task<void> collect_awaited(const Echo::Client& echo) {
  auto call = echo.CollectAsync(CallOptions().timeout(60s));
  const EchoRequest request = request_of(std::string(1000, 'x'));
  for (int i = 0; i < 10'000; ++i) {
    const bool taken = co_await call.write(request);
    EXPECT_TRUE(taken);
  }
  const Result<EchoReply> reply = co_await call.finish();
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  if (reply) {
    EXPECT_EQ(reply->number(), 10'000U);
  }
}

TEST_F(StreamingCall, AwaitedOfTheClientWaitsForWindowAndLosesNothing) {
  sync_wait(collect_awaited(echo_));
}

Task<void> expand_awaited(const Echo::Client& echo) {
  auto call = echo.ExpandAsync(request_of("reply", 100'000), CallOptions().timeout(60s));
  EchoReply reply;
  unsigned read = 0;
  while (co_await call.read(reply))
    ++read;
  const Status status = co_await call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(read, 100'000U);
}

TEST_F(StreamingCall, AwaitedOfTheServerBringsAllReplies) {
  sync_wait(expand_awaited(echo_));
}

}  // namespace
}  // namespace nearcall::test
