// SPDX-License-Identifier: Apache-2.0
// Messages that gRPC does not allow: the right status, which names the cause, for that call alone.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"
#include "support/compressed_bytes.hpp"

#include <gmock/gmock.h>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using testing::HasSubstr;
namespace flag = http2::frame_flag;

constexpr const char* resource_exhausted = "8";
constexpr const char* unimplemented = "12";
constexpr const char* internal = "13";

class BadMessage : public ServerProcessTest {
 protected:
  void SetUp() override {
    ServerProcessTest::SetUp();
    ASSERT_TRUE(peer_.greet());
  }
  /// The answer to a request of that body; the connection must serve the next one.
  HeardStream answer_to(std::string_view path, std::string_view body) {
    return answer_to(frames::headers(next_, frames::request_block(path)) +
                     frames::data(next_, body, flag::end_stream));
  }
  HeardStream answer_to(const std::string& frames) {
    peer_.say(frames);
    const HeardStream answer = peer_.hear(next_);
    next_ += 2;
    peer_.say(whole_call(next_, unary_path, ""));
    EXPECT_EQ(peer_.hear(next_).field("grpc-status"), "0")
        << "the connection is of no use any more";
    next_ += 2;
    return answer;
  }
  std::string with_encoding(std::string_view encoding) const {
    return frames::headers(next_, frames::block({{":method", "POST"},
                                                 {":scheme", "http"},
                                                 {":path", unary_path},
                                                 {"te", "trailers"},
                                                 {"content-type", "application/grpc"},
                                                 {"grpc-encoding", encoding}}));
  }

  FramePeer peer_{server_.path()};
  http2::StreamId next_ = 1;
};

TEST_F(BadMessage, OverTheLimitIsResourceExhaustedAndNamesTheLimit) {
  const std::string prefix = std::string(1, '\0') + frames::be32(4'194'305);

  // Nothing but the prefix: the limit is checked before the bytes come.
  const HeardStream answer = answer_to(frames::headers(next_, frames::request_block(unary_path)) +
                                       frames::data(next_, prefix));

  EXPECT_EQ(answer.field("grpc-status"), resource_exhausted);
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("4194304"));
}

TEST_F(BadMessage, OfTheLargestLengthThereIsIsRefusedTheSameWay) {
  const HeardStream answer = answer_to(frames::headers(next_, frames::request_block(chat_path)) +
                                       frames::data(next_, std::string("\0\xff\xff\xff\xff", 5)));

  EXPECT_EQ(answer.field("grpc-status"), resource_exhausted);
}

TEST_F(BadMessage, ExactlyAtTheLimitIsServed) {
  EchoRequest request;
  request.set_payload(std::string(4'194'304 - 5, 'x'));
  const std::string message = request.SerializeAsString();
  ASSERT_EQ(message.size(), 4'194'304U);
  const std::string body = framed(message);
  EXPECT_TRUE(peer_.say(frames::headers(1, frames::request_block(unary_path))));
  for (std::size_t at = 0; at < body.size(); at += 16'384) {
    const std::string_view piece = std::string_view(body).substr(at, 16'384);
    const std::size_t end = at + piece.size();
    ASSERT_TRUE(peer_.hear_until([&] {
      return end <= peer_.initial_window() + peer_.credit(1) && end <= 65'535 + peer_.credit(0);
    }));
    EXPECT_TRUE(
        peer_.say(frames::data(1, piece, end == body.size() ? flag::end_stream : flag::none)));
  }

  EXPECT_EQ(peer_.hear(1).field("grpc-status"), "0");
}

TEST_F(BadMessage, ThatIsCutOffIsInternalAndSaysHowMuchCame) {
  for (const std::string_view path : {std::string_view(unary_path), std::string_view(chat_path)}) {
    const HeardStream answer = answer_to(path, framed("0123456789").substr(0, 9));

    EXPECT_EQ(answer.field("grpc-status"), internal) << path;
    EXPECT_THAT(answer.field("grpc-message"), HasSubstr("4 of 10")) << path;
  }
}

TEST_F(BadMessage, ThatIsCutOffInItsPrefixIsInternal) {
  for (const std::string_view path : {std::string_view(unary_path), std::string_view(chat_path)}) {
    const HeardStream answer = answer_to(path, std::string_view("\0\0\0", 3));

    EXPECT_EQ(answer.field("grpc-status"), internal) << path;
    EXPECT_THAT(answer.field("grpc-message"), HasSubstr("inside a message")) << path;
  }
}

TEST_F(BadMessage, ThatIsNoProtobufIsInternalAndNamesTheType) {
  for (const std::string_view path :
       {std::string_view(unary_path), std::string_view(expand_path), std::string_view(chat_path),
        std::string_view(collect_path)}) {
    const HeardStream answer = answer_to(path, framed("\xff\xff\xff"));

    EXPECT_EQ(answer.field("grpc-status"), internal) << path;
    EXPECT_THAT(answer.field("grpc-message"), HasSubstr("nearcall.test.EchoRequest")) << path;
  }
}

TEST_F(BadMessage, OfAnUnknownCompressionIsUnimplementedAndTellsWhatIsKnown) {
  const HeardStream answer =
      answer_to(with_encoding("snappy") + frames::data(next_, framed("x", 1), flag::end_stream));

  EXPECT_EQ(answer.field("grpc-status"), unimplemented);
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("snappy"));
  EXPECT_THAT(answer.field("grpc-accept-encoding"), HasSubstr("identity"));
}

TEST_F(BadMessage, IsNoneThatIsNotCompressedWhateverTheEncoding) {
  const HeardStream answer =
      answer_to(with_encoding("snappy") + frames::data(next_, framed(""), flag::end_stream));

  EXPECT_EQ(answer.field("grpc-status"), "0");
  EXPECT_EQ(answer.field("grpc-accept-encoding"), "identity,deflate,gzip") << "the client can know";
}

TEST_F(BadMessage, ThatIsNoGzipIsInternalAndSaysWhatIsWrong) {
  const std::string whole = compressed(Codec::gzip(), request_of("text").SerializeAsString());
  const auto answer_of = [&](std::string_view body) {
    return answer_to(with_encoding("gzip") +
                     frames::data(next_, framed(body, 1), flag::end_stream));
  };
  const std::pair<std::string, const char*> bad[] = {
      {"no gzip", "incorrect header"},
      {whole.substr(0, whole.size() - 1), "cut off"},
      {whole + "x", "1 bytes stand behind its end"},
      {"", "cut off"},
  };

  for (const auto& [body, what] : bad) {
    const HeardStream answer = answer_of(body);
    EXPECT_EQ(answer.field("grpc-status"), internal) << body;
    EXPECT_THAT(answer.field("grpc-message"), HasSubstr(what)) << body;
  }
  EXPECT_EQ(answer_of(whole).field("grpc-status"), "0");
}

TEST_F(BadMessage, ThatInflatesToMoreThanTheLimitIsResourceExhaustedAndNamesTheLimit) {
  const std::string bomb = compressed(Codec::gzip(), std::string(10'000'000, '\0'));
  ASSERT_LT(bomb.size(), 16'000U);

  const HeardStream answer =
      answer_to(with_encoding("gzip") + frames::data(next_, framed(bomb, 1), flag::end_stream));

  EXPECT_EQ(answer.field("grpc-status"), resource_exhausted);
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("limit of 4194304"));
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("ServerOptions::max_receive_message_size"));
}

TEST_F(BadMessage, WithTheCompressedFlagAndNoEncodingIsInternalAndSaysSo) {
  for (const std::string_view path : {std::string_view(unary_path), std::string_view(chat_path)}) {
    const HeardStream answer = answer_to(path, framed("x", 1));

    EXPECT_EQ(answer.field("grpc-status"), internal) << path;
    EXPECT_THAT(answer.field("grpc-message"), HasSubstr("compressed")) << path;
  }
}

TEST_F(BadMessage, WithTheCompressedFlagUnderIdentityIsInternalToo) {
  const HeardStream answer =
      answer_to(with_encoding("identity") + frames::data(next_, framed("x", 1), flag::end_stream));

  EXPECT_EQ(answer.field("grpc-status"), internal);
}

TEST_F(BadMessage, WithAnUndefinedFlagIsInternalAndNamesTheFlag) {
  const HeardStream answer = answer_to(unary_path, framed("", 7));

  EXPECT_EQ(answer.field("grpc-status"), internal);
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("7"));
}

TEST_F(BadMessage, NoneOrTwoForAUnaryCallIsUnimplemented) {
  EXPECT_EQ(answer_to(unary_path, "").field("grpc-status"), unimplemented);
  EXPECT_EQ(answer_to(unary_path, framed("") + framed("")).field("grpc-status"), unimplemented);
  EXPECT_EQ(answer_to(expand_path, "").field("grpc-status"), unimplemented);
}

TEST_F(BadMessage, BadBase64InMetadataFailsTheCallAndNotTheConnection) {
  const HeardStream answer =
      answer_to(frames::headers(next_, frames::block({{":method", "POST"},
                                                      {":scheme", "http"},
                                                      {":path", unary_path},
                                                      {"te", "trailers"},
                                                      {"content-type", "application/grpc"},
                                                      {"bad-bin", "!!!"}})) +
                frames::data(next_, framed(""), flag::end_stream));

  EXPECT_NE(answer.field("grpc-status"), "0");
  EXPECT_NE(answer.field("grpc-status"), "");
}

TEST_F(BadMessage, AnEarlyEndOfACallIsTrailersAndThenAResetWithNoError) {
  peer_.say(frames::headers(1, frames::request_block(unary_path)) +
            frames::data(1, framed("x", 1)));
  peer_.hear_until([this] { return peer_.stream(1).reset.has_value(); });

  EXPECT_EQ(peer_.stream(1).field("grpc-status"), internal);
  EXPECT_EQ(peer_.stream(1).reset, http2::ErrorCode::no_error);
}

}  // namespace
}  // namespace nearcall::test
