// SPDX-License-Identifier: Apache-2.0
// Honest but extreme: all of it passes at the default limits.
#include "integration/server_process.hpp"

#include <chrono>
#include <sstream>
#include <thread>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

constexpr int million = is_sanitized ? 50'000 : 1'000'000;
constexpr int cancels = is_sanitized ? 5'000 : 100'000;
constexpr int threads = 300;

class HonestExtreme : public ServerProcessTest {
 protected:
  HonestExtreme() { log_.allow("event loop occupied"); }  // on a slow machine

  static CallOptions patient() { return CallOptions().timeout(100s); }
  void expect_no_word_in_the_log() const {
    std::istringstream lines(server_.log());
    for (std::string line; std::getline(lines, line);)
      EXPECT_NE(line.find("event loop occupied"), std::string::npos) << line;  // a slow machine
  }

  Channel channel_{server_.target()};
  Echo::Client echo_{channel_};
};

TEST_F(HonestExtreme, AMillionEmptyMessagesToTheServer) {
  auto call = echo_.Collect(patient());
  const EchoRequest empty;
  for (int i = 0; i < million; ++i)
    ASSERT_TRUE(call.write(empty)) << i << " " << call.finish().status().to_string();

  const Result<EchoReply> reply = call.finish();

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->number(), static_cast<unsigned>(million));
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, AMillionEmptyMessagesFromTheServer) {
  EchoRequest request;
  request.set_replies(static_cast<unsigned>(million));
  auto call = echo_.Expand(request, patient());

  EchoReply reply;
  int read = 0;
  while (call.read(reply))
    ++read;

  const Status status = call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(read, million);
  expect_no_word_in_the_log();
}

Task<void> send_awaited(const Echo::Client& echo) {
  auto call = echo.CollectAsync(CallOptions().timeout(100s));
  const EchoRequest empty;
  for (int i = 0; i < million; ++i) {
    const bool taken = co_await call.write(empty);
    if (!taken) break;
  }
  const Result<EchoReply> reply = co_await call.finish();
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
  if (reply) {
    EXPECT_EQ(reply->number(), static_cast<unsigned>(million));
  }
}

TEST_F(HonestExtreme, AMillionEmptyMessagesFromALoop) {
  sync_wait(send_awaited(echo_));
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, AHundredThousandCallsCancelledInARowByAThread) {
  for (int i = 0; i < cancels; ++i) {
    auto call = echo_.Chat(patient());
    call.cancel();
    ASSERT_EQ(call.finish().code(), StatusCode::cancelled) << i;
  }

  EXPECT_TRUE(echo_.Unary(request_of("last"), patient()).ok());
  expect_no_word_in_the_log();
}

Task<void> cancel_awaited(const Echo::Client& echo) {
  for (int i = 0; i < cancels; ++i) {
    auto call = echo.ChatAsync(CallOptions().timeout(100s));
    const bool taken = co_await call.write(request_of("x"));
    call.cancel();
    const Status status = co_await call.finish();
    if (!taken || status.code() != StatusCode::cancelled) {
      ADD_FAILURE() << i << ": " << status.to_string();
      break;
    }
  }
  const Result<EchoReply> reply =
      co_await echo.UnaryAsync(request_of("last"), CallOptions().timeout(100s));
  EXPECT_TRUE(reply.ok()) << reply.status().to_string();
}

TEST_F(HonestExtreme, AHundredThousandCallsCancelledInARowOnALoop) {
  sync_wait(cancel_awaited(echo_));
  expect_no_word_in_the_log();
}

Task<void> cancel_waiting(const Echo::Client& echo) {
  EchoRequest waiting;
  waiting.set_wait_for_cancel(true);
  for (int i = 0; i < cancels; ++i) {
    auto call = echo.ExpandAsync(waiting, CallOptions().timeout(100s));
    if (i % 64 == 0) co_await call.headers();
    call.cancel();
    const Status status = co_await call.finish();
    if (status.code() != StatusCode::cancelled) {
      ADD_FAILURE() << i << ": " << status.to_string();
      break;
    }
  }
}

TEST_F(HonestExtreme, AHundredThousandCallsWhoseHandlersWaitCancelledOnALoop) {
  sync_wait(cancel_waiting(echo_));
  EXPECT_TRUE(echo_.Unary(request_of("last"), patient()).ok());
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, ThreeHundredThreadsOnOneChannel) {
  {
    std::vector<std::jthread> callers;
    for (int t = 0; t < threads; ++t) {
      callers.emplace_back([this] {
        for (int i = 0; i < 20; ++i) {
          const Result<EchoReply> reply = echo_.Unary(request_of("x"), patient());
          EXPECT_TRUE(reply.ok()) << reply.status().to_string();
        }
      });
    }
  }
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, AHandlerThatPausesBetweenReadsGetsAllThatASenderHas) {
  auto call = echo_.Collect(patient());
  EchoRequest request = request_of(std::string(100'000, 'x'));
  request.set_pause(true);
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(call.write(request)) << i;

  const Result<EchoReply> reply = call.finish();

  ASSERT_TRUE(reply.ok()) << reply.status().to_string();
  EXPECT_EQ(reply->number(), 100U);
}

/// Writes everything before it reads anything; what is under way fits into the limits.
void write_then_read(const Echo::Client& echo, int messages, std::size_t size) {
  auto call = echo.Chat(CallOptions().timeout(100s));
  const EchoRequest request = request_of(std::string(size, 'x'), 1);
  for (int i = 0; i < messages; ++i)
    ASSERT_TRUE(call.write(request)) << i;
  call.writes_done();
  int read = 0;
  EchoReply reply;
  while (call.read(reply)) {
    ASSERT_EQ(reply.payload().size(), size);
    ++read;
  }
  EXPECT_EQ(read, messages);
  const Status status = call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(HonestExtreme, BothSidesWriteBeforeTheyRead) {
  write_then_read(echo_, 900, 1'000);
  write_then_read(echo_, 9, 100'000);
  write_then_read(echo_, 1, 4'000'000);
}

TEST_F(HonestExtreme, BothSidesWriteBeforeTheyReadOnTwoStreamsOfOneConnection) {
  Channel one(server_.target(), ChannelOptions().max_connections(1));
  const Echo::Client echo(one);
  {
    std::vector<std::jthread> senders;
    for (int t = 0; t < 2; ++t)
      senders.emplace_back([&echo] { write_then_read(echo, 900, 1'000); });
  }
  expect_no_word_in_the_log();
}

/// As fast as it goes in both directions: one thread writes, one reads.
void write_while_reading(const Echo::Client& echo, int messages, std::size_t size) {
  auto call = echo.Chat(CallOptions().timeout(100s));
  std::jthread writer([&] {
    const EchoRequest request = request_of(std::string(size, 'x'), 1);
    for (int i = 0; i < messages; ++i) {
      if (!call.write(request)) return;
    }
    call.writes_done();
  });
  int read = 0;
  EchoReply reply;
  while (call.read(reply))
    ++read;
  EXPECT_EQ(read, messages);
  const Status status = call.finish();
  EXPECT_TRUE(status.ok()) << status.to_string();
}

TEST_F(HonestExtreme, TwoBulkSendersAgainstEachOther) {
  write_while_reading(echo_, is_sanitized ? 200 : 5'000, 100'000);
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, BulkSendersOnTwoStreamsOfOneConnection) {
  Channel one(server_.target(), ChannelOptions().max_connections(1));
  const Echo::Client echo(one);
  {
    std::vector<std::jthread> pairs;
    for (int t = 0; t < 2; ++t) {
      pairs.emplace_back(
          [&echo] { write_while_reading(echo, is_sanitized ? 100 : 2'000, 100'000); });
    }
  }
  expect_no_word_in_the_log();
}

TEST_F(HonestExtreme, SmallMessagesBothWaysAsFastAsTheyGo) {
  write_while_reading(echo_, is_sanitized ? 5'000 : 200'000, 10);
  expect_no_word_in_the_log();
}

}  // namespace
}  // namespace nearcall::test
