// SPDX-License-Identifier: Apache-2.0
// An attempt's states: what opens it, what ends it, and what the server may have seen of it.
#include "client/attempt.hpp"

#include "client/direct_client.hpp"
#include "support/messages.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using detail::Seen;
using http2::ErrorCode;

TEST(Attempt, IsNotOpenBeforeItIsOpened) {
  DirectAttempt one;

  EXPECT_FALSE(one.attempt.is_open());
  EXPECT_FALSE(one.attempt.has_headers());
  EXPECT_FALSE(one.has_ended());
}

TEST(Attempt, HeadersAndTrailersAreToldApart) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  direct.peer().headers(
      stream, {{":status", "200"}, {"content-type", "application/grpc"}, {"color", "blue"}});
  direct.turn();

  EXPECT_TRUE(one.attempt.has_headers());
  EXPECT_FALSE(one.has_ended());
  EXPECT_EQ(one.attempt.headers().get("color"), "blue");
  EXPECT_EQ(one.attempt.headers().size(), 1U);
  EXPECT_EQ(one.headers, 1);

  direct.peer().headers(stream, {{"grpc-status", "0"}, {"cost", "7"}}, /*end_stream=*/true);
  direct.turn();

  ASSERT_TRUE(one.has_ended());
  EXPECT_TRUE(one.status().ok());
  EXPECT_EQ(one.seen(), Seen::answered);
  EXPECT_EQ(one.attempt.trailers().get("cost"), "7");
  EXPECT_EQ(one.attempt.trailers().get("grpc-status"), std::nullopt);
}

TEST(Attempt, InterimHeadersAreNotTheHeaders) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  // ":status: 103" as a literal without indexing: a session sends no interim headers.
  const std::byte early_hints[] = {std::byte{0x08}, std::byte{3}, std::byte{'1'}, std::byte{'0'},
                                   std::byte{'3'}};
  direct.peer().session().send_frame(0x1, http2::frame_flag::end_headers, stream.id(), early_hints);
  direct.turn();
  EXPECT_FALSE(one.attempt.has_headers());

  direct.peer().begin(stream);
  direct.turn();
  EXPECT_TRUE(one.attempt.has_headers());
  EXPECT_FALSE(one.has_ended());
}

TEST(Attempt, AResponseThatIsNotGrpcResetsTheStreamAndMayHaveBeenProcessed) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  direct.peer().headers(stream, {{":status", "503"}, {"content-type", "text/html"}});
  direct.turn();
  direct.turn();

  EXPECT_EQ(one.status().code(), StatusCode::unavailable);
  EXPECT_EQ(one.seen(), Seen::perhaps);
  EXPECT_EQ(direct.peer().heard(stream).reset, ErrorCode::cancel);
}

TEST(Attempt, OnlyRefusedStreamSaysThatItWasNotProcessed) {
  DirectClient direct;
  DirectAttempt refused;
  direct.peer().reset(direct.open(refused.attempt), ErrorCode::refused_stream);
  DirectAttempt cancelled;
  direct.peer().reset(direct.open(cancelled.attempt), ErrorCode::cancel);
  direct.turn();

  EXPECT_EQ(refused.seen(), Seen::refused);
  EXPECT_EQ(refused.status().code(), StatusCode::unavailable);
  EXPECT_EQ(cancelled.seen(), Seen::perhaps);
  EXPECT_EQ(cancelled.status().code(), StatusCode::cancelled);
}

TEST(Attempt, OneWhoseHeadersCameMayHaveBeenProcessed) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  direct.peer().begin(stream);
  direct.turn();
  direct.peer().reset(stream, ErrorCode::refused_stream);
  direct.turn();

  EXPECT_EQ(one.status().code(), StatusCode::unavailable);
  EXPECT_EQ(one.seen(), Seen::perhaps);
}

TEST(Attempt, OneThatWasRefusedCanBeOpenedOnceMore) {
  DirectClient direct;
  DirectAttempt one;
  direct.peer().reset(direct.open(one.attempt), ErrorCode::refused_stream);
  direct.turn();
  ASSERT_EQ(one.seen(), Seen::refused);
  EXPECT_FALSE(one.attempt.is_open());

  http2::Stream& again = direct.open(one.attempt);
  EXPECT_TRUE(one.attempt.is_open());
  direct.peer().answer(again, "reply");
  direct.turn();

  ASSERT_EQ(one.outcomes.size(), 2U);
  EXPECT_EQ(one.outcomes[1].seen, Seen::answered);
  EXPECT_TRUE(one.outcomes[1].status.ok()) << one.outcomes[1].status.to_string();
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(Attempt, CancelResetsTheStreamAndThereIsNoOutcome) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  one.attempt.cancel();
  direct.turn();

  EXPECT_FALSE(one.has_ended());
  EXPECT_FALSE(one.attempt.is_open());
  EXPECT_EQ(direct.peer().heard(stream).reset, ErrorCode::cancel);
  EXPECT_EQ(direct.client().call_count(), 0U);
}

TEST(Attempt, AHalfCloseBeforeItIsOpenEndsTheRequestsThen) {
  DirectClient direct;
  DirectAttempt one;
  one.attempt.half_close();
  http2::Stream& stream = direct.open(one.attempt);
  direct.turn();

  EXPECT_TRUE(direct.peer().heard(stream).has_ended);
}

TEST(Attempt, OneThatGoesTakesItsStreamAlong) {
  DirectClient direct;
  http2::Stream* stream = nullptr;
  {
    DirectAttempt one;
    stream = &direct.open(one.attempt);
    EXPECT_EQ(direct.client().call_count(), 1U);
  }
  direct.turn();

  EXPECT_EQ(direct.client().call_count(), 0U);
  EXPECT_EQ(direct.peer().heard(*stream).reset, ErrorCode::cancel);
}

TEST(Attempt, AMessageThatIsCutOffDoesNotHideWhyItWasCut) {
  DirectClient direct;
  DirectAttempt one;
  Text reply;
  one.attempt.messages().in().wait(reply, /*waiter=*/nullptr);
  http2::Stream& stream = direct.open(one.attempt);
  direct.peer().begin(stream);
  direct.peer().bytes(stream, std::string_view("\0\0\0\0\x09half", 9));
  direct.turn();
  direct.peer().reset(stream, ErrorCode::internal_error);
  direct.turn();

  EXPECT_EQ(one.status().code(), StatusCode::internal);
  EXPECT_TRUE(one.bad_messages.empty());
  EXPECT_FALSE(one.attempt.messages().in().is_waited_for());
}

TEST(Attempt, AnEncodingThatNobodyKnowsMattersToCompressedMessagesOnly) {
  DirectClient direct;
  const auto answer = [&direct](const std::string& body) {
    Text reply;
    DirectAttempt one;
    one.attempt.messages().in().wait(reply, /*waiter=*/nullptr);
    http2::Stream& stream = direct.open(one.attempt);
    direct.peer().headers(
        stream,
        {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "snappy"}});
    direct.peer().bytes(stream, body);
    direct.peer().end(stream);
    direct.turn();
    return one.bad_messages.empty() ? one.status() : one.bad_messages.front();
  };
  const std::string plain = framed(text_of("plain"));
  std::string compressed = plain;
  compressed[0] = 1;

  // Again and again: a header block that repeats is not read anew.
  for (int round = 0; round < 6; ++round) {
    EXPECT_TRUE(answer(plain).ok());
    const Status refused = answer(compressed);
    EXPECT_EQ(refused.code(), StatusCode::internal) << round;
    EXPECT_NE(refused.message().find("not offered: \"snappy\""), std::string::npos)
        << round << refused.message();
  }
}

TEST(Attempt, AnEndOfStreamWithTheHeadersIsAnEndWithoutStatus) {
  DirectClient direct;
  DirectAttempt one;
  http2::Stream& stream = direct.open(one.attempt);
  direct.peer().begin(stream);
  direct.turn();
  direct.peer().session().end_stream(stream);
  direct.turn();

  EXPECT_EQ(one.status().code(), StatusCode::unknown);
  EXPECT_EQ(one.seen(), Seen::perhaps);
}

}  // namespace
}  // namespace nearcall::test
