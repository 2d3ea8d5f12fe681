// SPDX-License-Identifier: Apache-2.0
// What one turn of a client's loop does at most for a server that has hundreds of calls end, or go
// on, at once, each of which has a message that takes long to free.
#include "client/script_methods.hpp"
#include "support/attack_frames.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/thread_time.hpp"

#include <nearcall/spawn.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::ErrorCode;
using http2::FrameType;
using http2::StreamId;

/// A message of as many of the smallest fields holds 24 times that.
constexpr std::size_t size_of_message = 20'000;
constexpr StreamId all_calls = is_timed ? 100 : 20;
/// How many coroutines that have such a message go on in one turn: two, or what the turn has begun.
constexpr int most_in_a_turn = 3;

/// A loop with hundreds of calls, on the test's own thread, and the server that they go to.
class HoldingCalls : public ManualLoop {
 public:
  CallOptions options() const { return patient().cancellation(cancel_.get_token()); }
  const ClientStub& stub() const noexcept { return stub_; }
  FramePeer& server() { return *server_; }
  int count() const noexcept { return events_; }
  /// A coroutine has gone on, and is about to free what it has.
  void note() noexcept { ++events_; }

  void begin(Task<void> (*call)(HoldingCalls&)) {
    for (StreamId n = 0; n < all_calls; ++n)
      spawn(loop_, call(*this));
    settle();
    server_->say(frames::settings({}) + frames::settings_ack());
    settle();
    for (StreamId n = 0; n < all_calls; ++n) {
      say(frames::headers(frames::nth_stream(n), frames::response_block()));
      say_message(n);
    }
  }
  void say(std::string_view bytes) {
    server_->say(bytes);
    settle();
    server_->listen();
  }
  void say_to_all(const std::function<std::string(StreamId id)>& frame) {
    std::string all;
    for (StreamId n = 0; n < all_calls; ++n)
      all += frame(frames::nth_stream(n));
    server_->say(all);
  }
  void leave() { server_.reset(); }
  void cancel_all() { cancel_.request_stop(); }
  void pass_all_deadlines() { clock_.advance(std::chrono::seconds(30)); }

  /// Turns the loop until all coroutines have gone on.
  void run_turns() {
    for (int turns = 0; events_ < static_cast<int>(all_calls) && turns < 10'000; ++turns) {
      const int before = events_;
      const std::chrono::nanoseconds begin = time_of_thread();
      loop_.poll();
      longest_ = std::max(longest_, time_of_thread() - begin);
      most_ = std::max(most_, events_ - before);
    }
  }
  std::chrono::nanoseconds longest() const noexcept { return longest_; }
  int most() const noexcept { return most_; }

 private:
  void say_message(StreamId n) {
    static const std::string message = framed(small_fields(size_of_message));
    constexpr std::size_t most_of_a_frame = 16 * 1024;
    const StreamId id = frames::nth_stream(n);
    for (std::size_t at = 0; at < message.size(); at += most_of_a_frame)
      say(frames::data(id, std::string_view(message).substr(at, most_of_a_frame)));
  }
  static Task<Result<std::unique_ptr<Transport>>> connect(HoldingCalls& calls) {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    EXPECT_TRUE(pair.ok());
    calls.server_.emplace(http2::Role::server, std::move(pair->second), FramePeer::passive);
    co_return std::move(pair->first);
  }

  std::optional<FramePeer> server_;
  std::stop_source cancel_;
  Channel channel_{
      "mine", ChannelOptions().connector([this](const ConnectContext&) { return connect(*this); })};
  ClientStub stub_{channel_, test_methods};
  int events_ = 0;
  int most_ = 0;
  std::chrono::nanoseconds longest_{};
};

// ---- the calls ----------------------------------------------------------------------------------

Task<void> ask(HoldingCalls& calls) {
  auto call = calls.stub().unary_async<Text>(unary_method, Text(), calls.options());
  const Result<Text> reply = co_await call;
  calls.note();
}

Task<void> read_to_the_end(HoldingCalls& calls) {
  auto call = calls.stub().bidi_streaming_async<Text, Text>(chat_method, calls.options());
  Text reply;
  while (co_await call.read(reply)) {
  }
  calls.note();
}

Task<void> read_twice(HoldingCalls& calls) {
  auto call = calls.stub().bidi_streaming_async<Text, Text>(chat_method, calls.options());
  Text reply;
  co_await call.read(reply);
  co_await call.read(reply);
  calls.note();
  co_await call.read(reply);
}

Task<void> read_and_finish(HoldingCalls& calls) {
  auto call = calls.stub().bidi_streaming_async<Text, Text>(chat_method, calls.options());
  Text reply;
  co_await call.read(reply);
  const Status status = co_await call.finish();
  calls.note();
}

// ---- what happens to all of them at once --------------------------------------------------------

struct TurnCase {
  const char* name;
  Task<void> (*call)(HoldingCalls&);
  void (*happen)(HoldingCalls&);
};

void PrintTo(const TurnCase& of, std::ostream* to) {
  *to << of.name;
}

void leave(HoldingCalls& calls) {
  calls.leave();
}
void reset(HoldingCalls& calls) {
  calls.say_to_all([](StreamId id) { return frames::rst_stream(id, ErrorCode::cancel); });
}
void end_with_ok(HoldingCalls& calls) {
  calls.say_to_all([](StreamId id) {
    return frames::headers(id, frames::trailers_block(),
                           http2::frame_flag::end_headers | http2::frame_flag::end_stream);
  });
}
void cancel(HoldingCalls& calls) {
  calls.cancel_all();
}
void pass_deadlines(HoldingCalls& calls) {
  calls.pass_all_deadlines();
}
void send_small_ones(HoldingCalls& calls) {
  calls.say_to_all([](StreamId id) { return frames::data(id, framed(text_of("small"))); });
}

const TurnCase cases[] = {
    {"UnaryCallsLoseTheirConnection", ask, leave},
    {"UnaryCallsAreReset", ask, reset},
    {"UnaryCallsEndWithOk", ask, end_with_ok},
    {"UnaryCallsAreCancelled", ask, cancel},
    {"UnaryCallsAreLate", ask, pass_deadlines},
    {"ReadersLoseTheirConnection", read_to_the_end, leave},
    {"ReadersAreReset", read_to_the_end, reset},
    {"ReadersComeToTheEnd", read_to_the_end, end_with_ok},
    {"ReadersAreCancelled", read_to_the_end, cancel},
    {"ReadersAreLate", read_to_the_end, pass_deadlines},
    {"ReadersGetASmallMessage", read_twice, send_small_ones},
    {"FinishersLoseTheirConnection", read_and_finish, leave},
    {"FinishersAreCancelled", read_and_finish, cancel},
};

class ClientTurnsTest : public testing::TestWithParam<TurnCase> {
 protected:
  LogCapture log_;
};

TEST_P(ClientTurnsTest, AreShort) {
  std::chrono::nanoseconds longest{};
  for (int attempt = 0; attempt < (is_timed ? attempts_to_be_short : 1); ++attempt) {
    HoldingCalls calls;
    calls.begin(GetParam().call);
    ASSERT_EQ(calls.count(), 0);

    GetParam().happen(calls);
    calls.run_turns();

    EXPECT_EQ(calls.count(), static_cast<int>(all_calls));
    EXPECT_LE(calls.most(), most_in_a_turn);
    longest = attempt == 0 ? calls.longest() : std::min(longest, calls.longest());
    if (longest <= longest_turn) break;
  }

  RecordProperty("longest_turn_us", static_cast<int>(longest / std::chrono::microseconds(1)));
  if (is_timed) {
    EXPECT_LE(longest.count(), longest_turn.count());
  }
}

INSTANTIATE_TEST_SUITE_P(Calls, ClientTurnsTest, testing::ValuesIn(cases), [](const auto& of) {
  return std::string(of.param.name);
});

}  // namespace
}  // namespace nearcall::test
