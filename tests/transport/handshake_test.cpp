// SPDX-License-Identifier: Apache-2.0
// Handshakes that are awaited: at once, in steps, in vain.
#include "transport/handshake.hpp"

#include "support/handshaking_transport.hpp"
#include "support/manual_loop.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/sync_wait.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {
namespace {

using namespace std::chrono_literals;
using test::HandshakeScript;
using test::HandshakingTransport;

class HandshakeTest : public testing::Test, protected test::ManualLoop {
 protected:
  void begin(TimePoint deadline = TimePoint::max()) {
    spawn(loop_,
          note(finish_handshake(transport_, {"unix:/x", deadline, stop_.get_token()}), end_));
    loop_.poll();
  }
  static Task<void> note(Task<Result<void>> task, std::optional<Status>& end) {
    const Result<void> result = co_await std::move(task);
    end = result.status();
  }

  HandshakeScript script_;
  HandshakingTransport transport_{std::move(make_socketpair()->first), script_};
  std::stop_source stop_;
  std::optional<Status> end_;
};

TEST_F(HandshakeTest, OfATransportWithoutOneIsDoneAtOnce) {
  const auto pair = make_socketpair();

  const auto end = sync_wait(finish_handshake(*pair->first, {"x", TimePoint::max(), {}}));

  EXPECT_TRUE(end.ok());
}

TEST_F(HandshakeTest, EndsWithItsLastStep) {
  script_.steps = 2;
  begin();
  script_.take_step();
  loop_.poll();
  EXPECT_FALSE(end_);

  script_.take_step();
  loop_.poll();

  ASSERT_TRUE(end_);
  EXPECT_TRUE(end_->ok());
}

TEST_F(HandshakeTest, MayWaitUntilItCanWrite) {
  script_.events = POLLOUT;  // which an eventfd has
  script_.is_ours_to_do = true;
  script_.steps = 3;

  begin();

  ASSERT_TRUE(end_);
  EXPECT_TRUE(end_->ok());
}

TEST_F(HandshakeTest, FailureNamesTheTargetAndTheReason) {
  begin();
  script_.fail(std::make_error_code(std::errc::protocol_error));
  loop_.poll();

  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->code(), StatusCode::unavailable);
  EXPECT_EQ(end_->message(), "unix:/x: handshake: Protocol error");
}

TEST_F(HandshakeTest, ItsTimeIsTheLoops) {
  begin(clock_.now() + 5s);
  advance(4999ms);
  EXPECT_FALSE(end_);

  advance(1ms);

  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->message(), "unix:/x: handshake: took too long");
}

TEST_F(HandshakeTest, EndsWithItsTimeAndWithTheLastWhoWantedIt) {
  begin(TimePoint());
  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->code(), StatusCode::unavailable);
  end_.reset();

  begin();
  stop_.request_stop();
  loop_.poll();

  ASSERT_TRUE(end_);
  EXPECT_EQ(end_->code(), StatusCode::cancelled);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
