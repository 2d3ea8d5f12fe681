// SPDX-License-Identifier: Apache-2.0
// Streams whose messages nobody reads, beside a small call on the same connection.
#include "integration/echo_server.hpp"

#include <poll.h>

#include <chrono>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;

struct PausedCase {
  int streams;
  unsigned size;  // of a message
};

void PrintTo(const PausedCase& paused, std::ostream* to) {
  *to << paused.streams << " streams with messages of " << paused.size;
}

using Watching = AsyncServerStreamingCall<EchoReply>;
using Chatting = AsyncBidiStreamingCall<EchoRequest, EchoReply>;

/// Writes, and reads nothing.
Task<void> write_on(Chatting chat, EchoRequest first, EchoRequest more) {
  bool is_open = co_await chat.write(first);
  while (is_open)
    is_open = co_await chat.write(more);
}

/// All calls of a loop are on one connection.
class PausedStreamsTest : public EchoServerTest, public testing::WithParamInterface<PausedCase> {
 protected:
  using Clock = std::chrono::steady_clock;

  EchoRequest request_of_many_replies() const {
    EchoRequest request = request_of("", /*replies=*/100);
    request.set_reply_size(GetParam().size);
    return request;
  }
  Task<void> watch() {
    for (int i = 0; i < GetParam().streams; ++i)
      watching_.push_back(echo_.ExpandAsync(request_of_many_replies()));
    co_return;
  }
  Task<void> chat() {
    const EchoRequest large = request_of(std::string(GetParam().size, 'x'));
    for (int i = 0; i < GetParam().streams; ++i)
      spawn(loop_, write_on(echo_.ChatAsync(), request_of_many_replies(), large));
    co_return;
  }
  Task<void> call(Status* status) {
    const EchoRequest request = request_of("small");
    const CallOptions options = CallOptions().timeout(20s);
    const Result<EchoReply> reply = co_await echo_.UnaryAsync(request, options);
    *status = reply.status();
    loop_.stop();
  }
  /// The first one comes behind the streams, the second one when the server has them all.
  void expect_small_calls_served() {
    expect_small_call_served();
    expect_small_call_served();
  }
  void expect_small_call_served() {
    Status status = Status::internal("it did not end");
    spawn(loop_, call(&status));
    loop_.run();
    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  /// That writers wait is logged, by one of the two ends, and once.
  void expect_told_once(std::string_view text) {
    const auto until = Clock::now() + 10s;
    bool is_told = log_.take(text);
    for (pollfd look{loop_.fd(), POLLIN, 0}; !is_told && Clock::now() < until;) {
      ::poll(&look, 1, /*milliseconds=*/10);
      loop_.poll();
      is_told = log_.take(text);
    }
    EXPECT_TRUE(is_told) << text;
    EXPECT_FALSE(log_.take(text)) << text;
  }

  std::vector<Watching> watching_;
  EventLoop loop_;
};

INSTANTIATE_TEST_SUITE_P(Sizes,
                         PausedStreamsTest,
                         testing::Values(PausedCase{30, 1'000'000}, PausedCase{17, 3'900'000}),
                         [](const auto& of) {
                           return std::to_string(of.param.streams) + "Streams";
                         });

TEST_P(PausedStreamsTest, OfTheServerDoNotHoldUpASmallCall) {
  spawn(loop_, watch());

  expect_small_calls_served();

  expect_told_once("(max_buffered_output)");
}

TEST_P(PausedStreamsTest, OfBothEndsDoNotHoldUpASmallCall) {
  spawn(loop_, chat());

  expect_small_calls_served();

  expect_told_once(target() + ": the peer does not read");
  expect_told_once("(max_buffered_output)");
}

}  // namespace
}  // namespace nearcall::test
