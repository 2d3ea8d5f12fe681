// SPDX-License-Identifier: Apache-2.0
// Pump: peers that do not go when all is over, and peers that are silent.
#include "connection/pump_fixture.hpp"
#include "support/io.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

// ---- lingering ----------------------------------------------------------------------------------

class PumpLingerTest : public PumpTest {
 protected:
  /// All is over: the only call was answered, and GOAWAY said.
  void finish_all() {
    make();
    pump_->linger_at_end();
    open();
    exchange();
    ASSERT_NE(stream_, nullptr);
    pump_->session().send_goaway(http2::ErrorCode::no_error, "bye");
    pump_->session().send_headers(*stream_, test::response_head(), {}, /*end_stream=*/true);
    pump_->session().release(*stream_);
    ended_at_ = now();
    EXPECT_EQ(pump_->flush(ended_at_), Progress::some);
  }

  TimePoint ended_at_;
};

TEST_F(PumpLingerTest, WhenAllIsSaidItEndsTheStreamAndWaitsForThePeer) {
  finish_all();

  receive();

  EXPECT_EQ(count_of<http2::HeadersEvent>(client_saw_), 1);
  EXPECT_EQ(goaway_, http2::ErrorCode::no_error);
  EXPECT_EQ(test::read_kind(*peer_), IoResult::Kind::end_of_stream);
  EXPECT_TRUE(pump_->is_lingering());
  EXPECT_FALSE(pump_->has_output());
  EXPECT_EQ(ends_, 0);
}

TEST_F(PumpLingerTest, EndsAsDrainedWhenThePeerCloses) {
  finish_all();

  peer_.reset();

  EXPECT_EQ(read(), Progress::ended);
  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(reason_, EndReason::drained);
}

TEST_F(PumpLingerTest, WhatThePeerStillSaysIsDropped) {
  finish_all();
  const std::size_t seen = saw_.size();
  ASSERT_TRUE(test::write_all(*peer_, "this is no HTTP/2, and nobody looks"));

  EXPECT_EQ(read(), Progress::some);
  EXPECT_EQ(read(), Progress::none);

  EXPECT_EQ(saw_.size(), seen);
  EXPECT_FALSE(pump_->has_unread());
  EXPECT_FALSE(pump_->has_ended());
}

TEST_F(PumpLingerTest, EndsWhenItsTimeIsUp) {
  finish_all();
  const TimePoint until = ended_at_ + ConnectionLimits().linger_timeout;
  EXPECT_EQ(pump_->next_deadline(), until);

  pump_->on_time(until - std::chrono::nanoseconds(1));
  EXPECT_FALSE(pump_->has_ended());
  pump_->on_time(until);

  EXPECT_TRUE(pump_->has_ended());
  EXPECT_EQ(reason_, EndReason::drained);
}

TEST_F(PumpLingerTest, DropsNoMoreThanMayBeUnread) {
  finish_all();
  const std::string piece(16 * 1024, 'x');
  std::size_t dropped = 0;
  while (!pump_->has_ended() && dropped < 64U * 1024 * 1024) {
    ASSERT_TRUE(test::write_all(*peer_, piece));
    dropped += piece.size();
    read();
  }

  EXPECT_EQ(reason_, EndReason::drained);
  EXPECT_EQ(dropped, ConnectionLimits().max_buffered_input + piece.size());
}

TEST_F(PumpLingerTest, WhoeverClosesItEarlierSaysNothing) {
  finish_all();

  pump_->close_with_goaway(EndReason::evicted, http2::ErrorCode::no_error, "others", now());

  EXPECT_EQ(ends_, 1);
  EXPECT_EQ(reason_, EndReason::drained);
  EXPECT_EQ(pump_->end_reason(), EndReason::drained);
}

// ---- keepalive ----------------------------------------------------------------------------------

class PumpKeepAliveTest : public PumpTest {
 protected:
  static constexpr KeepAlive::Options usual{std::chrono::seconds(30), std::chrono::seconds(20),
                                            /*without_calls=*/false};

  /// Of a server, whose client has said hello, and has a call if it is to.
  void make_with(const KeepAlive::Options& options, bool has_call) {
    make();
    if (has_call) open();
    exchange();
    exchange();  // the ACKs of SETTINGS
    start_ = now();
    pump_->keep_alive(options, start_);
  }
  void at(std::chrono::seconds after) {
    pump_->on_time(start_ + after);
    pump_->flush(start_ + after);
  }
  /// That the client has got.
  std::size_t pings() {
    std::size_t count = 0;
    std::string bytes;
    while (!(bytes = test::read_once(*peer_)).empty()) {
      for (std::size_t at = bytes.find("keepaliv"); at != std::string::npos;
           at = bytes.find("keepaliv", at + 1))
        ++count;
    }
    return count;
  }

  TimePoint start_;
};

TEST_F(PumpKeepAliveTest, OffAsksForNoTime) {
  make_with(KeepAlive::Options(), /*has_call=*/true);
  at(std::chrono::hours(1000));

  EXPECT_EQ(pings(), 0U);
}

TEST_F(PumpKeepAliveTest, ASilentPeerIsAskedAndThenLost) {
  make_with(usual, /*has_call=*/true);
  EXPECT_LE(pump_->next_deadline(), start_ + std::chrono::seconds(30));

  at(std::chrono::seconds(30));
  EXPECT_EQ(pings(), 1U);
  at(std::chrono::seconds(49));
  EXPECT_FALSE(pump_->has_ended());
  at(std::chrono::seconds(51));

  EXPECT_EQ(reason_, EndReason::silent);
  EXPECT_EQ(what_, "it does not answer a keepalive PING (keepalive_timeout)");
  EXPECT_EQ(pings(), 0U);
}

TEST_F(PumpKeepAliveTest, WhatIsReadIsASignOfLife) {
  make_with(usual, /*has_call=*/true);
  at(std::chrono::seconds(30));
  ASSERT_TRUE(test::write_all(*peer_, test::frames::window_update(0, 1)));

  EXPECT_EQ(pump_->read(read_scratch(), start_ + std::chrono::seconds(40)), Progress::some);
  at(std::chrono::seconds(51));

  EXPECT_FALSE(pump_->has_ended());
}

TEST_F(PumpKeepAliveTest, WithoutACallItIsNotLookedAt) {
  make_with(usual, /*has_call=*/false);
  at(std::chrono::seconds(30));

  EXPECT_EQ(pump_->next_deadline(), no_deadline);
  EXPECT_EQ(pings(), 0U);
}

/// Output waits, and our PING behind it.
class PumpQueuedPingTest : public PumpKeepAliveTest {
 protected:
  void ask_behind_output() {
    Result<InprocPipe> pipe = make_inproc_pipe(/*capacity=*/4096);
    ASSERT_TRUE(pipe);
    inner_ = std::move(pipe->first);
    peer_ = std::move(pipe->second);
    make_with(usual, /*has_call=*/true);
    pump_->session().send_headers(*stream_, test::response_head(), {}, /*end_stream=*/false);
    pump_->session().send_data(*stream_, OwnedBytes::copy_of(as_bytes(std::string(60'000, 'x'))),
                               /*end_stream=*/false);
    ASSERT_EQ(pump_->flush(start_), Progress::none);
    at(std::chrono::seconds(30));
  }
};

TEST_F(PumpQueuedPingTest, WhoTakesWhatIsBeforeItIsThere) {
  ask_behind_output();

  std::size_t taken = 0;
  for (int second = 40; second <= 140; second += 10) {
    taken += test::read_once(*peer_).size();
    pump_->flush(start_ + std::chrono::seconds(second));
    at(std::chrono::seconds(second));
    ASSERT_FALSE(pump_->has_ended()) << second;
  }
  EXPECT_LT(taken, 60'000U) << "it has not come to the PING";
}

TEST_F(PumpQueuedPingTest, WhoTakesNothingIsLost) {
  ask_behind_output();

  at(std::chrono::seconds(50));

  EXPECT_EQ(reason_, EndReason::silent);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
