// SPDX-License-Identifier: Apache-2.0
// Pump: peers that do not go when all is over.
#include "connection/pump_fixture.hpp"
#include "support/io.hpp"

#include <string>

namespace nearcall::inline v0::detail {
namespace {

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

}  // namespace
}  // namespace nearcall::inline v0::detail
