// SPDX-License-Identifier: Apache-2.0
// A call over its attempts: what it sends, what it keeps for a repeat, and that it ends once.
#include "client/call.hpp"

#include "client/direct_client.hpp"
#include "support/manual_loop.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;

TEST(Call, IsNeitherOpenNorOverBeforeItIsOpened) {
  DirectClient direct;
  DirectCall one(direct);

  EXPECT_FALSE(one.call.is_open());
  EXPECT_FALSE(one.call.is_over());
  EXPECT_FALSE(one.call.has_headers());
}

TEST(Call, TheEarlierOneOfTimeoutAndDeadlineCounts) {
  DirectClient direct;
  const detail::TimePoint now = detail::SteadyClock::now();
  const DirectCall by_deadline(direct, CallOptions().timeout(1h).deadline(now + 1s));
  const DirectCall by_timeout(direct, CallOptions().timeout(1s).deadline(now + 1h));
  const DirectCall endless(direct, CallOptions());

  EXPECT_EQ(by_deadline.call.deadline(), now + 1s);
  EXPECT_LT(by_timeout.call.deadline(), now + 1min);
  EXPECT_EQ(endless.call.deadline(), detail::no_deadline);
}

TEST(Call, ATimeoutGoesOutAsItWasGivenAndADeadlineAsWhatIsLeft) {
  DirectClient direct;
  DirectCall given(direct, CallOptions().timeout(20s));
  direct.open(given.call);
  EXPECT_EQ(direct.peer().header("grpc-timeout"), "20S");

  DirectCall left(direct, CallOptions().deadline(detail::SteadyClock::now() + 1h));
  direct.open(left.call);
  EXPECT_FALSE(direct.peer().header("grpc-timeout").empty());

  DirectCall endless(direct, CallOptions());
  direct.open(endless.call);
  EXPECT_EQ(direct.peer().header("grpc-timeout"), "");
}

TEST(Call, OfATimeoutThatHasPassedInPartGoesOutWhatIsLeft) {
  DirectClient direct;
  for (const auto& [waited, sent] : {std::pair(0ms, "1S"), std::pair(10ms, "1S"),
                                     std::pair(11ms, "989m"), std::pair(300ms, "700m")}) {
    testing::ManualClock clock;
    DirectCall one(direct, CallOptions().timeout(1s), clock_of(clock));
    clock.advance(waited);
    direct.open(one.call);
    EXPECT_EQ(direct.peer().header("grpc-timeout"), sent) << waited.count();
  }
}

/// Metadata that makes the request's header list that large.
CallOptions with_list_of(const DirectClient& direct, std::size_t size) {
  std::size_t rest = std::string_view("key").size() + 32;
  for (const http2::HeaderField& field : direct.method().head.fields())
    rest += field.name.size() + field.value.size() + 32;
  return CallOptions().metadata("key", std::string(size - rest, 'x'));
}

TEST(Call, AHeaderListBeyondWhatTheServerTakesIsNotSent) {
  DirectClient direct;
  direct.turn();  // its SETTINGS
  const std::size_t most = ConnectionLimits().max_header_list_size;
  DirectCall fits(direct, with_list_of(direct, most));
  direct.open(fits.call);
  EXPECT_TRUE(fits.call.is_open());
  EXPECT_EQ(direct.peer().session().stats().streams_opened, 1U);

  DirectCall large(direct, with_list_of(direct, most + 1));
  large.call.open(direct.client(), /*loop=*/nullptr, large.call.now());
  EXPECT_FALSE(direct.client().session().has_output());
  direct.turn();

  EXPECT_EQ(large.call.status().code(), StatusCode::resource_exhausted);
  EXPECT_NE(large.call.status().message().find("16384"), std::string::npos)
      << large.call.status().to_string();
  EXPECT_EQ(large.changes, 1);
  EXPECT_EQ(direct.peer().session().stats().requests_refused, 0U);
  EXPECT_TRUE(fits.call.is_open()) << "no other call is harmed";
}

TEST(Call, ABadFieldInTheHeadersEndsTheOneCall) {
  DirectClient direct;
  DirectCall call(direct);
  DirectCall other(direct);
  http2::Stream& stream = direct.open(call.call);
  direct.open(other.call);
  direct.peer().headers(
      stream, {{":status", "200"}, {"content-type", "application/grpc"}, {"color", "\x1b[31m"}});
  direct.turn();
  direct.turn();

  EXPECT_EQ(call.call.status().code(), StatusCode::internal);
  EXPECT_TRUE(call.call.headers().empty());
  EXPECT_EQ(direct.peer().heard(stream).reset, ErrorCode::cancel);
  EXPECT_TRUE(other.call.is_open());
}

/// How a call ends whose trailers are these.
Status status_after(SessionPeer::Fields trailers) {
  DirectClient direct;
  DirectCall call(direct);
  http2::Stream& stream = direct.open(call.call);
  direct.peer().begin(stream);
  direct.peer().headers(stream, trailers, /*end_stream=*/true);
  direct.turn();
  EXPECT_TRUE(call.call.is_over());
  EXPECT_TRUE(call.call.trailers().empty());
  return call.call.status();
}

TEST(Call, OkWithTrailersThatCannotBeReadIsNotOk) {
  const std::string too_many(ConnectionLimits().max_header_fields, ',');

  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost", "\xff"}}).code(), StatusCode::internal);
  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost-bin", "*"}}).code(), StatusCode::internal);
  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost-bin", too_many}}).code(),
            StatusCode::resource_exhausted);
}

TEST(Call, AFailureKeepsItsCodeWhateverStandsBesideIt) {
  const std::string too_many(ConnectionLimits().max_header_fields, ',');

  EXPECT_EQ(status_after({{"grpc-status", "5"}, {"cost", "\xff"}}).code(), StatusCode::not_found);
  EXPECT_EQ(status_after({{"grpc-status", "5"}, {"cost-bin", too_many}}).code(),
            StatusCode::not_found);
}

TEST(Call, ATrailersOnlyAnswerIsHeldToTheSameRules) {
  DirectClient direct;
  DirectCall call(direct);
  http2::Stream& stream = direct.open(call.call);
  direct.peer().headers(stream,
                        {{":status", "200"},
                         {"content-type", "application/grpc"},
                         {"grpc-status", "0"},
                         {"weird!", "v"}},
                        /*end_stream=*/true);
  direct.turn();

  EXPECT_EQ(call.call.status().code(), StatusCode::internal);
}

TEST(Call, SaysWhenHeadersComeAndWhenItIsOver) {
  DirectClient direct;
  DirectCall one(direct);
  http2::Stream& stream = direct.open(one.call);
  direct.peer().begin(stream);
  direct.turn();
  EXPECT_TRUE(one.call.has_headers());
  EXPECT_FALSE(one.call.is_over());
  EXPECT_EQ(one.changes, 1);

  direct.peer().headers(stream, {{"grpc-status", "0"}, {"cost", "7"}}, /*end_stream=*/true);
  EXPECT_EQ(one.call.trailers().size(), 0U);
  direct.turn();

  EXPECT_TRUE(one.call.is_over());
  EXPECT_TRUE(one.call.status().ok());
  EXPECT_EQ(one.call.trailers().get("cost"), "7");
  EXPECT_EQ(one.changes, 2);
}

TEST(Call, AServerThatCancelsALateCallMeansItsDeadline) {
  DirectClient direct;
  DirectCall late(direct, CallOptions().deadline(detail::SteadyClock::now()));
  direct.peer().reset(direct.open(late.call), ErrorCode::cancel);
  direct.turn();

  EXPECT_EQ(late.call.status().code(), StatusCode::deadline_exceeded)
      << late.call.status().to_string();
}

TEST(Call, AServerThatAnswersCancelledMeansIt) {
  DirectClient direct;
  DirectCall late(direct, CallOptions().deadline(detail::SteadyClock::now()));
  http2::Stream& stream = direct.open(late.call);
  direct.peer().begin(stream);
  direct.peer().end(stream, "1");
  direct.turn();

  EXPECT_EQ(late.call.status().code(), StatusCode::cancelled) << late.call.status().to_string();
}

TEST(Call, FinishResetsTheStreamOnceAndTheFirstEndCounts) {
  DirectClient direct;
  DirectCall one(direct);
  http2::Stream& stream = direct.open(one.call);
  one.call.fail(Status(StatusCode::cancelled, "first"));
  one.call.fail(Status(StatusCode::deadline_exceeded, "second"));
  one.call.on_failed(Status(StatusCode::unavailable, "third"));
  direct.turn();

  EXPECT_EQ(one.call.status(), Status(StatusCode::cancelled, "first"));
  EXPECT_EQ(one.changes, 1);
  EXPECT_EQ(direct.peer().heard(stream).reset, ErrorCode::cancel);
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(Call, AHalfCloseIsRefusedOnceItIsOver) {
  DirectClient direct;
  DirectCall one(direct);
  EXPECT_TRUE(one.call.half_close());
  one.call.cancel();

  EXPECT_FALSE(one.call.half_close());
}

TEST(Call, OneThatWasNeverOpenedIsRepeatedOnceAndThenEnds) {
  DirectClient direct;
  DirectCall one(direct);
  one.call.on_unsent(Status(StatusCode::unavailable, "no way"));
  EXPECT_EQ(one.repeats, 1);
  EXPECT_FALSE(one.call.is_over());

  one.call.on_unsent(Status(StatusCode::unavailable, "no way again"));
  EXPECT_TRUE(one.call.is_over());
  EXPECT_EQ(one.repeats, 1);
  EXPECT_EQ(one.call.status().message(), "no way again");
}

TEST(Call, OneThatWasRefusedIsOpenedOnceMoreWithWhatIsLeftOfItsTime) {
  DirectClient direct;
  testing::ManualClock clock;
  DirectCall one(direct, CallOptions().timeout(20s), clock_of(clock));
  direct.peer().reset(direct.open(one.call), ErrorCode::refused_stream);
  direct.turn();
  ASSERT_EQ(one.repeats, 1);
  EXPECT_FALSE(one.call.is_over());
  EXPECT_FALSE(one.call.is_open());

  clock.advance(5s);
  http2::Stream& again = direct.open(one.call);
  EXPECT_EQ(direct.peer().header("grpc-timeout"), "15S");
  direct.peer().answer(again, "reply");
  direct.turn();

  EXPECT_TRUE(one.call.is_over());
  EXPECT_TRUE(one.call.status().ok()) << one.call.status().to_string();
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(Call, ItsOneRequestIsSentWithEachAttempt) {
  DirectClient direct;
  const Text request = text_of("request");
  for (const bool keeps : {true, false}) {
    DirectCall one(direct);
    if (keeps) one.call.keep_request(request);
    if (!keeps) one.call.borrow_request(request);
    http2::Stream& first = direct.open(one.call);
    EXPECT_EQ(direct.peer().heard(first).body.size(), request.ByteSizeLong() + 5);
    direct.peer().reset(first, ErrorCode::refused_stream);
    direct.turn();

    http2::Stream& second = direct.open(one.call);

    EXPECT_EQ(direct.peer().heard(second).body.size(), request.ByteSizeLong() + 5);
    one.call.drop();
  }
}

TEST(Call, OneThatWroteIsNotRepeatedAndSaysSo) {
  DirectClient direct;
  DirectCall one(direct);
  http2::Stream& stream = direct.open(one.call);
  one.call.messages().out().try_write(text_of("gone"));
  direct.turn();
  direct.peer().reset(stream, ErrorCode::refused_stream);
  direct.turn();

  EXPECT_TRUE(one.call.is_over());
  EXPECT_EQ(one.repeats, 0);
  EXPECT_NE(one.call.status().message().find("are not kept"), std::string::npos);
}

TEST(Call, OneThatIsOverIsNotRepeated) {
  DirectClient direct;
  DirectCall one(direct);
  http2::Stream& stream = direct.open(one.call);
  direct.peer().reset(stream, ErrorCode::refused_stream);
  one.call.fail(Status(StatusCode::cancelled, "the user did"));
  direct.turn();

  EXPECT_EQ(one.repeats, 0);
  EXPECT_EQ(one.call.status().code(), StatusCode::cancelled);
}

}  // namespace
}  // namespace nearcall::test
