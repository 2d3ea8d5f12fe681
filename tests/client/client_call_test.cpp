// SPDX-License-Identifier: Apache-2.0
// A call's states: what opens it, what ends it, and that it ends once.
#include "client/client_call.hpp"

#include "client/direct_client.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::test {
namespace {

using namespace std::chrono_literals;
using http2::ErrorCode;

TEST(ClientCall, IsNeitherOpenNorOverBeforeItIsOpened) {
  DirectClient direct;
  const DirectCall call(direct.method());

  EXPECT_FALSE(call.is_open());
  EXPECT_FALSE(call.is_over());
  EXPECT_FALSE(call.has_headers());
}

TEST(ClientCall, TheEarlierOneOfTimeoutAndDeadlineCounts) {
  DirectClient direct;
  const TimePoint now = SteadyClock::now();
  const DirectCall by_deadline(direct.method(), CallOptions().timeout(1h).deadline(now + 1s));
  const DirectCall by_timeout(direct.method(), CallOptions().timeout(1s).deadline(now + 1h));
  const DirectCall endless(direct.method(), CallOptions());

  EXPECT_EQ(by_deadline.deadline(), now + 1s);
  EXPECT_LT(by_timeout.deadline(), now + 1min);
  EXPECT_EQ(endless.deadline(), no_deadline);
}

TEST(ClientCall, ATimeoutGoesOutAsItWasGivenAndADeadlineAsWhatIsLeft) {
  DirectClient direct;
  DirectCall given(direct.method(), CallOptions().timeout(20s));
  direct.open(given);
  EXPECT_EQ(direct.peer().header("grpc-timeout"), "20S");

  DirectCall left(direct.method(), CallOptions().deadline(SteadyClock::now() + 1h));
  direct.open(left);
  EXPECT_FALSE(direct.peer().header("grpc-timeout").empty());

  DirectCall endless(direct.method(), CallOptions());
  direct.open(endless);
  EXPECT_EQ(direct.peer().header("grpc-timeout"), "");
}

/// Metadata that makes the request's header list that large.
CallOptions with_list_of(const DirectClient& direct, std::size_t size) {
  std::size_t rest = std::string_view("key").size() + 32;
  for (const http2::HeaderField& field : direct.method().head.fields())
    rest += field.name.size() + field.value.size() + 32;
  return CallOptions().metadata("key", std::string(size - rest, 'x'));
}

TEST(ClientCall, AHeaderListBeyondWhatTheServerTakesIsNotSent) {
  DirectClient direct;
  direct.turn();  // its SETTINGS
  const std::size_t most = ConnectionLimits().max_header_list_size;
  DirectCall fits(direct.method(), with_list_of(direct, most));
  direct.open(fits);
  EXPECT_TRUE(fits.is_open());
  EXPECT_EQ(direct.peer().session().stats().streams_opened, 1U);

  DirectCall large(direct.method(), with_list_of(direct, most + 1));
  large.open(direct.client(), /*loop=*/nullptr, /*end_stream=*/false);
  EXPECT_FALSE(direct.client().session().has_output());
  direct.turn();

  EXPECT_EQ(large.status().code(), StatusCode::resource_exhausted);
  EXPECT_NE(large.status().message().find("16384"), std::string::npos)
      << large.status().to_string();
  EXPECT_EQ(large.changes, 1);
  EXPECT_EQ(direct.peer().session().stats().requests_refused, 0U);
  EXPECT_TRUE(fits.is_open()) << "no other call is harmed";
}

TEST(ClientCall, HeadersAndTrailersAreToldApart) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().headers(
      stream, {{":status", "200"}, {"content-type", "application/grpc"}, {"color", "blue"}});
  direct.turn();

  EXPECT_TRUE(call.has_headers());
  EXPECT_FALSE(call.is_over());
  EXPECT_EQ(call.headers().get("color"), "blue");
  EXPECT_EQ(call.headers().size(), 1U);
  EXPECT_EQ(call.changes, 1);

  direct.peer().headers(stream, {{"grpc-status", "0"}, {"cost", "7"}}, /*end_stream=*/true);
  direct.turn();

  EXPECT_TRUE(call.is_over());
  EXPECT_TRUE(call.status().ok());
  EXPECT_EQ(call.trailers().get("cost"), "7");
  EXPECT_EQ(call.trailers().get("grpc-status"), std::nullopt);
  EXPECT_EQ(call.changes, 2);
}

TEST(ClientCall, ABadFieldInTheHeadersEndsTheOneCall) {
  DirectClient direct;
  DirectCall call(direct.method());
  DirectCall other(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.open(other);
  direct.peer().headers(
      stream, {{":status", "200"}, {"content-type", "application/grpc"}, {"color", "\x1b[31m"}});
  direct.turn();
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::internal);
  EXPECT_TRUE(call.headers().empty());
  EXPECT_EQ(direct.peer().reset_of(stream), ErrorCode::cancel);
  EXPECT_TRUE(other.is_open());
}

/// How a call ends whose trailers are these.
Status status_after(ScriptedPeer::Fields trailers) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().begin(stream);
  direct.peer().headers(stream, trailers, /*end_stream=*/true);
  direct.turn();
  EXPECT_TRUE(call.is_over());
  EXPECT_TRUE(call.trailers().empty());
  return call.status();
}

TEST(ClientCall, OkWithTrailersThatCannotBeReadIsNotOk) {
  const std::string too_many(ConnectionLimits().max_header_fields, ',');

  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost", "\xff"}}).code(), StatusCode::internal);
  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost-bin", "*"}}).code(), StatusCode::internal);
  EXPECT_EQ(status_after({{"grpc-status", "0"}, {"cost-bin", too_many}}).code(),
            StatusCode::resource_exhausted);
}

TEST(ClientCall, AFailureKeepsItsCodeWhateverStandsBesideIt) {
  const std::string too_many(ConnectionLimits().max_header_fields, ',');

  EXPECT_EQ(status_after({{"grpc-status", "5"}, {"cost", "\xff"}}).code(), StatusCode::not_found);
  EXPECT_EQ(status_after({{"grpc-status", "5"}, {"cost-bin", too_many}}).code(),
            StatusCode::not_found);
}

TEST(ClientCall, ATrailersOnlyAnswerIsHeldToTheSameRules) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().headers(stream,
                        {{":status", "200"},
                         {"content-type", "application/grpc"},
                         {"grpc-status", "0"},
                         {"weird!", "v"}},
                        /*end_stream=*/true);
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::internal);
}

TEST(ClientCall, InterimHeadersAreNotTheHeaders) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  // ":status: 103" as a literal without indexing: a session sends no interim headers.
  const std::byte early_hints[] = {std::byte{0x08}, std::byte{3}, std::byte{'1'}, std::byte{'0'},
                                   std::byte{'3'}};
  direct.peer().session().send_frame(0x1, http2::frame_flag::end_headers, stream.id(), early_hints);
  direct.turn();
  EXPECT_FALSE(call.has_headers());

  direct.peer().begin(stream);
  direct.turn();
  EXPECT_TRUE(call.has_headers());
  EXPECT_FALSE(call.is_over());
}

TEST(ClientCall, AResponseThatIsNotGrpcResetsTheStream) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().headers(stream, {{":status", "503"}, {"content-type", "text/html"}});
  direct.turn();
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
  EXPECT_EQ(call.not_begun, 0);
  EXPECT_EQ(direct.peer().reset_of(stream), ErrorCode::cancel);
}

TEST(ClientCall, OnlyRefusedStreamSaysThatItWasNotBegun) {
  DirectClient direct;
  DirectCall refused(direct.method());
  direct.peer().reset(direct.open(refused), ErrorCode::refused_stream);
  DirectCall cancelled(direct.method());
  direct.peer().reset(direct.open(cancelled), ErrorCode::cancel);
  direct.turn();

  EXPECT_EQ(refused.not_begun, 1);
  EXPECT_EQ(refused.status().code(), StatusCode::unavailable);
  EXPECT_EQ(cancelled.not_begun, 0);
  EXPECT_EQ(cancelled.status().code(), StatusCode::cancelled);
}

TEST(ClientCall, AServerThatCancelsALateCallMeansItsDeadline) {
  DirectClient direct;
  DirectCall late(direct.method(), CallOptions().deadline(SteadyClock::now()));
  direct.peer().reset(direct.open(late), ErrorCode::cancel);
  direct.turn();

  EXPECT_EQ(late.status().code(), StatusCode::deadline_exceeded) << late.status().to_string();
}

TEST(ClientCall, FinishResetsTheStreamOnceAndTheFirstEndCounts) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  call.finish(Status(StatusCode::cancelled, "first"));
  call.finish(Status(StatusCode::deadline_exceeded, "second"));
  call.on_lost(Status(StatusCode::unavailable, "third"));
  direct.turn();

  EXPECT_EQ(call.status(), Status(StatusCode::cancelled, "first"));
  EXPECT_EQ(call.changes, 1);
  EXPECT_EQ(direct.peer().reset_of(stream), ErrorCode::cancel);
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(ClientCall, AHalfCloseBeforeItIsOpenEndsTheRequestsThen) {
  DirectClient direct;
  DirectCall call(direct.method());
  EXPECT_TRUE(call.half_close());
  http2::Stream& stream = direct.open(call);
  direct.turn();

  EXPECT_TRUE(direct.peer().has_all_of(stream));
  call.finish(Status(StatusCode::cancelled, "over"));
  EXPECT_FALSE(call.half_close());
}

TEST(ClientCall, ACallThatGoesTakesItsStreamAlong) {
  DirectClient direct;
  http2::Stream* stream = nullptr;
  {
    DirectCall call(direct.method());
    stream = &direct.open(call);
    EXPECT_EQ(direct.client().call_count(), 1U);
  }
  direct.turn();

  EXPECT_EQ(direct.client().call_count(), 0U);
  EXPECT_EQ(direct.peer().reset_of(*stream), ErrorCode::cancel);
}

TEST(ClientCall, OneThatWasNeverOpenedEndsUnprocessedWithoutAConnection) {
  DirectClient direct;
  DirectCall call(direct.method());
  call.on_not_begun(Status(StatusCode::unavailable, "no way"));

  EXPECT_TRUE(call.is_over());
  EXPECT_EQ(call.not_begun, 1);
  EXPECT_EQ(call.status().message(), "no way");
}

TEST(ClientCall, OneThatWasNotBegunCanBeOpenedOnceMore) {
  DirectClient direct;
  DirectCall call(direct.method());
  call.wants_to_begin_again = true;
  direct.peer().reset(direct.open(call), ErrorCode::refused_stream);
  direct.turn();
  ASSERT_EQ(call.not_begun, 1);
  EXPECT_FALSE(call.is_over());
  EXPECT_FALSE(call.is_open());

  http2::Stream& again = direct.open(call);
  EXPECT_NE(direct.peer().header("grpc-timeout"), "20S");  // what is left of it
  direct.peer().answer(again, "reply");
  direct.turn();

  EXPECT_TRUE(call.is_over());
  EXPECT_TRUE(call.status().ok()) << call.status().to_string();
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(ClientCall, OneWhoseHeadersCameWasBegun) {
  DirectClient direct;
  DirectCall call(direct.method());
  http2::Stream& stream = direct.open(call);
  direct.peer().begin(stream);
  direct.turn();
  direct.peer().reset(stream, ErrorCode::refused_stream);
  direct.turn();

  EXPECT_EQ(call.status().code(), StatusCode::unavailable);
  EXPECT_EQ(call.not_begun, 0);
}

TEST(ClientCall, OneThatIsOverIsNotBegunAgain) {
  DirectClient direct;
  DirectCall call(direct.method());
  call.wants_to_begin_again = true;
  http2::Stream& stream = direct.open(call);
  direct.peer().reset(stream, ErrorCode::refused_stream);
  call.finish(Status(StatusCode::cancelled, "the user did"));
  direct.turn();

  EXPECT_EQ(call.not_begun, 0);
  EXPECT_EQ(call.status().code(), StatusCode::cancelled);
}

}  // namespace
}  // namespace nearcall::test
