// SPDX-License-Identifier: Apache-2.0
// Compression at a server: which replies are compressed, and what is done with compressed requests.
#include "server/blocking_server.hpp"
#include "support/compressed_bytes.hpp"

#include <nearcall/codec.hpp>

#include <gmock/gmock.h>

#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {
namespace {

using testing::HasSubstr;

/// A message as it came: what it says, and whether it was compressed.
struct CameAs {
  std::string text;
  bool is_compressed = false;
  friend bool operator==(const CameAs&, const CameAs&) = default;
  friend void PrintTo(const CameAs& came, std::ostream* to) {
    *to << (came.is_compressed ? "compressed " : "plain ") << came.text.size();
  }
};

/// The messages of a body.
std::vector<CameAs> messages_of(std::string_view body, const Codec& codec = Codec::gzip()) {
  std::vector<CameAs> messages;
  while (body.size() >= 5) {
    const std::size_t size = detail::load_be32(detail::as_bytes(body).data() + 1);
    std::string bytes(body.substr(5, size));
    const bool is_compressed = body[0] == 1;
    if (is_compressed) {
      StringOutput output(1000);
      EXPECT_TRUE(codec.inflate(detail::as_bytes(bytes), output));
      bytes = output.text;
    }
    Text text;
    EXPECT_TRUE(text.ParseFromString(bytes));
    messages.push_back({text.value(), is_compressed});
    body.remove_prefix(5 + size);
  }
  return messages;
}

class ServerCompression : public BlockingServerTest {
 protected:
  static inline const std::string large = words(5000);
  static inline const std::string small = words(500);

  /// What the server answers to a client that accepts `accept`, and sends `body` in `encoding`.
  HeardStream answer_to(std::string_view path,
                        std::string_view body,
                        std::string_view accept = "identity,gzip",
                        std::string_view encoding = {}) {
    SessionPeer client(this->path());
    SessionPeer::Fields fields = SessionPeer::request_to(path);
    if (!accept.empty()) fields.push_back({"grpc-accept-encoding", accept});
    if (!encoding.empty()) fields.push_back({"grpc-encoding", encoding});
    std::optional<HeardStream> answer = client.call(fields, body);
    EXPECT_TRUE(answer);
    return answer ? *std::move(answer) : HeardStream();
  }
  HeardStream echo(const std::string& text, std::string_view accept = "identity,gzip") {
    return answer_to("/test.Functions/Unary", framed(text_of(text)), accept);
  }
  static std::string gzipped(const std::string& text) {
    return framed(compressed(Codec::gzip(), text_of(text).SerializeAsString()), 1);
  }
};

TEST_F(ServerCompression, RepliesAreCompressedAsTheServerIsToldAndTheClientTakesIt) {
  start(ServerOptions().compression(Codec::gzip()));

  const HeardStream answer = echo(large);

  EXPECT_EQ(answer.field("grpc-status"), "0");
  EXPECT_EQ(answer.field("grpc-encoding"), "gzip");
  EXPECT_EQ(answer.field("grpc-accept-encoding"), "identity,deflate,gzip");
  EXPECT_EQ(messages_of(answer.body), (std::vector<CameAs>{{large, true}}));
}

TEST_F(ServerCompression, AClientThatDoesNotTakeItGetsRepliesAsTheyAre) {
  start(ServerOptions().compression(Codec::gzip()));

  for (const std::string_view accept : {"", "identity", "identity,deflate", "gzipx"}) {
    const HeardStream answer = echo(large, accept);
    EXPECT_EQ(answer.field("grpc-encoding"), "") << accept;
    EXPECT_EQ(messages_of(answer.body), (std::vector<CameAs>{{large, false}})) << accept;
  }
}

TEST_F(ServerCompression, NothingIsCompressedUnlessTheServerIsTold) {
  start(ServerOptions());

  const HeardStream answer = echo(large);

  EXPECT_EQ(answer.field("grpc-encoding"), "");
  EXPECT_EQ(messages_of(answer.body), (std::vector<CameAs>{{large, false}}));
}

TEST_F(ServerCompression, MessagesBelowTheThresholdGoAsTheyAre) {
  start(ServerOptions().compression(Codec::gzip()).compression_threshold(600));
  const std::size_t around = 3;  // what a Text has around its string

  EXPECT_FALSE(messages_of(echo(words(599 - around)).body).at(0).is_compressed);
  EXPECT_TRUE(messages_of(echo(words(600 - around)).body).at(0).is_compressed);
}

TEST_F(ServerCompression, TheHandlerChoosesForItsCall) {
  start(ServerOptions().compression(Codec::gzip()));
  functions_.on_unary = [](ServerContext& call, const Text& request) {
    call.set_compression(request.value().starts_with("deflate") ? Codec::deflate()
                                                                : Codec::identity());
    return request;
  };

  const HeardStream deflated = echo("deflate" + large, "gzip,deflate");
  EXPECT_EQ(deflated.field("grpc-encoding"), "deflate");
  EXPECT_EQ(messages_of(deflated.body, Codec::deflate()),
            (std::vector<CameAs>{{"deflate" + large, true}}));
  const HeardStream unwanted = echo("deflate" + large, "gzip");
  EXPECT_EQ(unwanted.field("grpc-encoding"), "");
  EXPECT_FALSE(messages_of(unwanted.body).at(0).is_compressed);
  EXPECT_FALSE(messages_of(echo(large).body).at(0).is_compressed);
}

TEST_F(ServerCompression, ACompressedMessageMayFollowAPlainOneInOneStream) {
  start(ServerOptions().compression(Codec::gzip()));
  functions_.on_list = [](ServerContext& call, const Text&, BlockingWriter<Text>& replies) {
    bool are_taken = replies.write(text_of(large)) && replies.write(text_of(large), no_compression);
    call.set_compression(Codec::identity());
    are_taken = are_taken && replies.write(text_of(large));
    call.set_compression(Codec::gzip());
    are_taken = are_taken && replies.write(text_of(large)) && replies.write(text_of(small));
    return are_taken ? Status() : Status::cancelled("");
  };

  const HeardStream answer = answer_to("/test.Functions/List", framed(Text()));

  EXPECT_EQ(answer.field("grpc-status"), "0");
  EXPECT_EQ(messages_of(answer.body),
            (std::vector<CameAs>{
                {large, true}, {large, false}, {large, false}, {large, true}, {small, false}}));
}

TEST_F(ServerCompression, AnotherCodecOnceTheHeadersWereSentIsAMistakeOfTheHandler) {
  start(ServerOptions().compression(Codec::gzip()));
  functions_.on_list = [](ServerContext& call, const Text&, BlockingWriter<Text>& replies) {
    const bool is_taken = replies.write(text_of(large));
    call.set_compression(Codec::deflate());
    return is_taken ? Status() : Status::cancelled("");
  };

  const HeardStream answer = answer_to("/test.Functions/List", framed(Text()), "gzip,deflate");

  EXPECT_EQ(answer.field("grpc-status"), "13");
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("set_compression \"deflate\""));
  EXPECT_TRUE(log_capture().take("the headers were sent already"));
}

TEST_F(ServerCompression, RequestsOfBothKindsAreReadOfAllFourKindsOfCall) {
  start(ServerOptions());
  functions_.on_list = [](ServerContext&, const Text& request, BlockingWriter<Text>& replies) {
    return replies.write(request) ? Status() : Status::cancelled("");
  };
  functions_.on_collect = [](ServerContext&, BlockingReader<Text>& requests) -> Result<Text> {
    Text all;
    while (const std::optional<Text> request = requests.read())
      all.set_value(all.value() + request->value());
    return all;
  };
  functions_.on_chat = [](ServerContext&, BlockingReader<Text>& requests,
                          BlockingWriter<Text>& replies) {
    while (const std::optional<Text> request = requests.read())
      if (!replies.write(*request)) return Status::cancelled("");
    return Status();
  };
  const auto replies_to = [this](std::string_view path, const std::string& body) {
    const HeardStream answer = answer_to(path, body, "gzip", "gzip");
    EXPECT_EQ(answer.field("grpc-status"), "0") << path << answer.field("grpc-message");
    std::string all;
    for (const CameAs& came : messages_of(answer.body))
      all += came.text;
    return all;
  };

  EXPECT_EQ(replies_to("/test.Functions/Unary", gzipped(large)), large);
  EXPECT_EQ(replies_to("/test.Functions/List", gzipped(large)), large);
  const std::string mixed = gzipped("a") + framed(text_of("b")) + gzipped(large) + gzipped("");
  EXPECT_EQ(replies_to("/test.Functions/Collect", mixed), "ab" + large);
  EXPECT_EQ(replies_to("/test.Functions/Chat", mixed), "ab" + large);
}

TEST_F(ServerCompression, ACompressedRequestIsReadWhereverItsBytesAreCut) {
  start(ServerOptions());
  const std::string body = gzipped(words(200));
  SessionPeer client(path());
  SessionPeer::Fields fields = SessionPeer::request_to("/test.Functions/Unary");
  fields.push_back({"grpc-encoding", "gzip"});

  for (std::size_t cut = 0; cut <= body.size(); ++cut) {
    http2::Stream& stream = client.open(fields);
    client.send(stream, std::string_view(body).substr(0, cut), /*end_stream=*/false);
    ASSERT_TRUE(client.ping());
    client.send(stream, std::string_view(body).substr(cut), /*end_stream=*/true);
    const std::optional<HeardStream> answer = client.answer_to(stream);

    ASSERT_TRUE(answer) << cut;
    EXPECT_EQ(answer->field("grpc-status"), "0") << cut;
    EXPECT_EQ(answer->body, framed(text_of(words(200)))) << cut;
  }
}

TEST_F(ServerCompression, AnEncodingThatIsNotKnownIsUnimplementedAndTellsWhatIs) {
  start(ServerOptions());

  const HeardStream answer =
      answer_to("/test.Functions/Unary", framed("x", 1), /*accept=*/"", "snappy");

  EXPECT_EQ(answer.field("grpc-status"), "12");
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("snappy"));
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("supported are identity,deflate,gzip"));
  EXPECT_EQ(answer.field("grpc-accept-encoding"), "identity,deflate,gzip");
}

/// Turns each byte over, and halves what is the same twice: a codec of a program's own.
class HalvingCodec final : public Codec {
 public:
  std::string_view name() const noexcept override { return "x-half"; }
  std::size_t compress(std::span<const std::byte> message, std::span<std::byte> to) const override {
    if (message.size() % 2 != 0 || message.size() / 2 > to.size()) return 0;
    for (std::size_t i = 0; i < message.size(); i += 2) {
      if (message[i] != message[i + 1]) return 0;
      to[i / 2] = ~message[i];
    }
    return message.size() / 2;
  }
  Result<void> inflate(std::span<const std::byte> compressed, CodecOutput& to) const override {
    for (std::size_t i = 0; i < 2 * compressed.size(); ++i) {
      const std::span<std::byte> space = to.space();
      if (space.empty()) return {};
      space.front() = ~compressed[i / 2];
      to.advance(1);
    }
    return {};
  }
};

TEST_F(ServerCompression, ACodecOfTheProgramsOwnServesBothDirections) {
  static const HalvingCodec halving;
  start(ServerOptions().compression(halving).compression_threshold(0));
  // "\x0a\x0a": a Text of ten bytes.
  const std::string message = "\x0a\x0a" + std::string(10, 'a');
  std::vector<std::byte> half(6);
  ASSERT_EQ(halving.compress(detail::as_bytes(message), half), 6U);
  const std::string body = framed(detail::as_text(half), 1);

  const HeardStream answer = answer_to("/test.Functions/Unary", body, "gzip,x-half", "x-half");

  EXPECT_EQ(answer.field("grpc-status"), "0");
  EXPECT_EQ(answer.field("grpc-encoding"), "x-half");
  EXPECT_EQ(answer.field("grpc-accept-encoding"), "identity,deflate,gzip,x-half");
  EXPECT_EQ(answer.body, body);
}

class ThrowingCodec final : public Codec {
 public:
  std::string_view name() const noexcept override { return "x-throw"; }
  std::size_t compress(std::span<const std::byte> /*message*/,
                       std::span<std::byte> /*to*/) const override {
    throw std::runtime_error("no room");
  }
  Result<void> inflate(std::span<const std::byte> /*compressed*/,
                       CodecOutput& /*to*/) const override {
    throw std::runtime_error("no idea");
  }
};

TEST_F(ServerCompression, ACodecThatThrowsHarmsNoOtherCall) {
  static const ThrowingCodec throwing;
  start(ServerOptions().compression(throwing));

  const HeardStream sent = answer_to("/test.Functions/Unary", framed(text_of(large)), "x-throw");
  EXPECT_EQ(messages_of(sent.body), (std::vector<CameAs>{{large, false}}));
  EXPECT_TRUE(log_capture().take("codec x-throw threw: no room"));

  const HeardStream read = answer_to("/test.Functions/Unary", framed("x", 1), "", "x-throw");
  EXPECT_EQ(read.field("grpc-status"), "13");
  EXPECT_THAT(read.field("grpc-message"), HasSubstr("no x-throw: the codec threw: no idea"));
  EXPECT_TRUE(is_serving());
}

TEST_F(ServerCompression, AReplyOverTheSendLimitIsResourceExhaustedAndNamesTheLimit) {
  start(ServerOptions().max_send_message_size(1000).compression(Codec::gzip()));

  EXPECT_EQ(echo(words(1000 - 3)).field("grpc-status"), "0");
  const HeardStream answer = echo(words(1000 - 2));

  EXPECT_EQ(answer.field("grpc-status"), "8");
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("send limit of 1000 bytes"));
  EXPECT_THAT(answer.field("grpc-message"), HasSubstr("ServerOptions::max_send_message_size"));
  EXPECT_EQ(answer.body, "");
}

TEST_F(ServerCompression, PlainAnswersOfTheConnectionBeforeChangeNothing) {
  start(ServerOptions().max_send_message_size(6000).compression(Codec::gzip()));
  SessionPeer client(path());
  const auto ask = [&client](const std::string& text, std::string_view accept) {
    SessionPeer::Fields fields = SessionPeer::request_to("/test.Functions/Unary");
    fields.push_back({"grpc-accept-encoding", accept});
    return client.call(fields, framed(text_of(text))).value_or(HeardStream());
  };
  for (int i = 0; i < 4; ++i) {  // from the third on such an answer is sent in one step
    EXPECT_EQ(messages_of(ask(small, "identity").body), (std::vector<CameAs>{{small, false}}));
  }

  EXPECT_EQ(messages_of(ask(large, "identity,gzip").body), (std::vector<CameAs>{{large, true}}));
  const HeardStream too_large = ask(words(6000), "identity");
  EXPECT_EQ(too_large.field("grpc-status"), "8");
  EXPECT_EQ(too_large.body, "");
}

}  // namespace
}  // namespace nearcall::test
