// SPDX-License-Identifier: Apache-2.0
// One hedge: how it fails, what it hands over, and how it goes with its connection.
#include "client/hedge.hpp"

#include "client/direct_client.hpp"
#include "client/hedging_client.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace nearcall::test {
namespace {

/// A hedge, and what it said.
class DirectHedge final : private detail::HedgeOwner {
 public:
  detail::Hedge hedge{*this};
  DirectAttempt winner;
  std::vector<detail::Outcome> failures;
  /// On a failure.
  detail::Hedge* to_cancel = nullptr;

  http2::Stream& open(DirectClient& direct) {
    hedge.open(direct.client(), direct.method().head, {}, 1);
    direct.turn();
    return *direct.peer().newest();
  }

 private:
  void on_answer(detail::Hedge& answered, const http2::HeadersEvent& event) override {
    answered.give_to(winner.attempt, /*loop=*/nullptr);
    detail::StreamHandler::of(*event.stream)->on_headers(event);
  }
  void on_failure(detail::Hedge& /*failed*/, detail::Outcome outcome) override {
    failures.push_back(std::move(outcome));
    if (to_cancel != nullptr) to_cancel->cancel();
  }
};

class HedgeTest : public LogCheckedTest {
 protected:
  DirectClient direct_;
  DirectHedge one_;
};

TEST_F(HedgeTest, ItsAnswerIsThatOfTheAttemptThatTakesIt) {
  http2::Stream& stream = one_.open(direct_);
  Text reply;
  one_.winner.attempt.messages().in().wait(reply, /*waiter=*/nullptr);
  direct_.peer().answer(stream, "well");
  direct_.turn();
  EXPECT_EQ(reply.value(), "well");
  EXPECT_EQ(one_.winner.headers, 1);
  ASSERT_TRUE(one_.winner.has_ended());
  EXPECT_TRUE(one_.winner.status().ok());
  EXPECT_TRUE(one_.hedge.is_idle());
  EXPECT_EQ(direct_.client().call_count(), 0U);
}

/// The last frames of the answer come with the first.
TEST_F(HedgeTest, InterimHeadersAreNoAnswer) {
  http2::Stream& stream = one_.open(direct_);
  direct_.peer().headers(stream, {{":status", "100"}});
  direct_.turn();
  EXPECT_TRUE(one_.hedge.is_open());
  EXPECT_EQ(one_.winner.headers, 0);
}

TEST_F(HedgeTest, TrailersOnlyAreAFailureWithWhatTheySay) {
  http2::Stream& stream = one_.open(direct_);
  fail_call(direct_.peer(), stream, "10", "5");
  direct_.turn();
  ASSERT_EQ(one_.failures.size(), 1U);
  EXPECT_EQ(one_.failures[0].seen, detail::Seen::answered);
  EXPECT_EQ(one_.failures[0].status.code(), StatusCode::aborted);
  EXPECT_EQ(one_.failures[0].status.trailers().get("grpc-retry-pushback-ms"), "5");
  EXPECT_TRUE(one_.hedge.is_idle());
}

TEST_F(HedgeTest, TrailersOnlyThatSayOkAreAnAnswer) {
  http2::Stream& stream = one_.open(direct_);
  fail_call(direct_.peer(), stream, "0");
  direct_.turn();
  EXPECT_TRUE(one_.failures.empty());
  ASSERT_TRUE(one_.winner.has_ended());
  EXPECT_TRUE(one_.winner.status().ok());
}

TEST_F(HedgeTest, AnAnswerThatIsNotGrpcIsAFailure) {
  http2::Stream& stream = one_.open(direct_);
  direct_.peer().headers(stream, {{":status", "503"}}, /*end_stream=*/true);
  direct_.turn();
  ASSERT_EQ(one_.failures.size(), 1U);
  EXPECT_EQ(one_.failures[0].seen, detail::Seen::perhaps);
  EXPECT_EQ(one_.failures[0].status.code(), StatusCode::unavailable);
}

TEST_F(HedgeTest, AResetSaysWhatTheServerHasSeen) {
  http2::Stream& refused = one_.open(direct_);
  direct_.peer().reset(refused, http2::ErrorCode::refused_stream);
  direct_.turn();
  http2::Stream& cancelled = one_.open(direct_);
  direct_.peer().reset(cancelled, http2::ErrorCode::cancel);
  direct_.turn();
  ASSERT_EQ(one_.failures.size(), 2U);
  EXPECT_EQ(one_.failures[0].seen, detail::Seen::refused);
  EXPECT_EQ(one_.failures[1].seen, detail::Seen::perhaps);
  EXPECT_EQ(one_.failures[1].status.code(), StatusCode::cancelled);
}

TEST_F(HedgeTest, AConnectionThatIsLostSaysWhatWasSent) {
  one_.open(direct_);
  direct_.close_peer();
  direct_.take_in();
  ASSERT_EQ(one_.failures.size(), 1U);
  EXPECT_EQ(one_.failures[0].seen, detail::Seen::perhaps);

  DirectClient other;
  one_.hedge.open(other.client(), other.method().head, {}, 2);
  other.close_peer();
  other.take_in();
  ASSERT_EQ(one_.failures.size(), 2U);
  EXPECT_EQ(one_.failures[1].seen, detail::Seen::nothing);
}

TEST_F(HedgeTest, WhenItIsCancelledTheServerIsTold) {
  http2::Stream& stream = one_.open(direct_);
  one_.hedge.cancel();
  direct_.turn();
  direct_.peer().turn();
  EXPECT_EQ(direct_.peer().heard(stream).reset, http2::ErrorCode::cancel);
  EXPECT_TRUE(one_.failures.empty());
}

/// Streams of a connection are told of its end one after the other, and each goes in its turn.
TEST_F(HedgeTest, OneMayCancelAnotherWhileTheirConnectionEnds) {
  DirectHedge older;
  DirectHedge newer;
  older.open(direct_);
  one_.open(direct_);
  newer.open(direct_);
  one_.to_cancel = &older.hedge;
  newer.to_cancel = &older.hedge;
  direct_.close_peer();
  direct_.take_in();
  EXPECT_EQ(newer.failures.size(), 1U);
  EXPECT_EQ(one_.failures.size(), 1U);
  EXPECT_TRUE(older.failures.empty()) << "it was cancelled before it was told";
  EXPECT_TRUE(older.hedge.is_idle());
  EXPECT_EQ(direct_.client().call_count(), 0U);
}

}  // namespace
}  // namespace nearcall::test
