// SPDX-License-Identifier: Apache-2.0
// Compression at a client: what its requests are compressed with, and which replies it reads.
#include "client/script_methods.hpp"
#include "support/call_form.hpp"
#include "support/compressed_bytes.hpp"

#include <nearcall/codec.hpp>
#include <nearcall/sync_wait.hpp>

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::string large = words(5000);

/// What a server heard of one call: its encoding, and of each message whether it was compressed,
/// and what it says.
struct HeardCall {
  std::string encoding;
  std::string accepted;
  std::vector<std::pair<bool, std::string>> messages;
};

HeardCall heard(SessionPeer& peer, const http2::Stream& stream) {
  HeardCall call{peer.header("grpc-encoding"), peer.header("grpc-accept-encoding"), {}};
  const Codec& codec = call.encoding == "deflate" ? Codec::deflate() : Codec::gzip();
  std::string_view body = peer.heard(stream).body;
  while (body.size() >= 5) {
    const std::size_t size = detail::load_be32(detail::as_bytes(body).data() + 1);
    std::string bytes(body.substr(5, size));
    if (body[0] == 1) {
      StringOutput output(1000);
      EXPECT_TRUE(codec.inflate(detail::as_bytes(bytes), output));
      bytes = output.text;
    }
    Text text;
    EXPECT_TRUE(text.ParseFromString(bytes));
    call.messages.emplace_back(body[0] == 1, text.value());
    body.remove_prefix(5 + size);
  }
  return call;
}

class ClientCompression : public testing::TestWithParam<CallForm> {
 protected:
  /// A unary call in either form.
  Result<Text> call(const ClientStub& stub,
                    const std::string& request,
                    const CallOptions& options = patient()) const {
    if (GetParam() == CallForm::blocking)
      return stub.unary<Text>(unary_method, text_of(request), options);
    return sync_wait(awaited(stub, request, options));
  }
  static Task<Result<Text>> awaited(ClientStub stub, std::string request, CallOptions options) {
    const Text message = text_of(request);
    auto call = stub.unary_async<Text>(unary_method, message, options);
    co_return co_await call;
  }
  /// Says what a server heard of one call.
  HeardCall heard_of(ChannelOptions options,
                     const std::string& request,
                     const CallOptions& call_options = patient()) {
    HeardCall seen;
    ScriptedServer server({[&seen](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      if (stream == nullptr) return;
      seen = heard(peer, *stream);
      peer.answer(*stream, "reply");
      peer.wait_for_end();
    }});
    options.connector(server.options().connector());
    {
      const Channel channel("mine", options);
      EXPECT_TRUE(call(ClientStub(channel, test_methods), request, call_options));
    }
    server.join();
    return seen;
  }
  /// What a call comes to whose server answers with this.
  Result<Text> answered_with(const std::string& encoding,
                             const std::string& body,
                             ChannelOptions options = ChannelOptions()) {
    ScriptedServer server({[&](SessionPeer& peer) {
      http2::Stream* const stream = peer.next_call();
      if (stream == nullptr) return;
      SessionPeer::Fields fields = {{":status", "200"}, {"content-type", "application/grpc"}};
      if (!encoding.empty()) fields.push_back({"grpc-encoding", encoding});
      peer.headers(*stream, fields);
      peer.bytes(*stream, body);
      peer.end(*stream);
      peer.wait_for_end();
    }});
    options.connector(server.options().connector());
    const Channel channel("mine", options);
    return call(ClientStub(channel, test_methods), "request");
  }
};

INSTANTIATE_TEST_SUITE_P(Each,
                         ClientCompression,
                         testing::Values(CallForm::blocking, CallForm::awaited),
                         [](const auto& info) {
                           return info.param == CallForm::blocking ? "Blocking" : "Awaited";
                         });

std::string gzipped(const std::string& text) {
  return framed(compressed(Codec::gzip(), text_of(text).SerializeAsString()), 1);
}

TEST_P(ClientCompression, RequestsAreCompressedAsTheChannelIsTold) {
  const HeardCall seen = heard_of(ChannelOptions().compression(Codec::gzip()), large);

  EXPECT_EQ(seen.encoding, "gzip");
  EXPECT_EQ(seen.accepted, "identity,deflate,gzip");
  EXPECT_THAT(seen.messages, ElementsAre(Pair(true, large)));
}

TEST_P(ClientCompression, NothingIsCompressedUnlessSomebodySaysSo) {
  const HeardCall seen = heard_of(ChannelOptions(), large);

  EXPECT_EQ(seen.encoding, "");
  EXPECT_EQ(seen.accepted, "identity,deflate,gzip");
  EXPECT_THAT(seen.messages, ElementsAre(Pair(false, large)));
}

TEST_P(ClientCompression, ACallMaySaySomethingElseThanItsChannel) {
  const ChannelOptions gzip = ChannelOptions().compression(Codec::gzip());

  const HeardCall deflated = heard_of(gzip, large, patient().compression(Codec::deflate()));
  EXPECT_EQ(deflated.encoding, "deflate");
  EXPECT_THAT(deflated.messages, ElementsAre(Pair(true, large)));
  const HeardCall plain = heard_of(gzip, large, patient().compression(Codec::identity()));
  EXPECT_EQ(plain.encoding, "");
  EXPECT_THAT(plain.messages, ElementsAre(Pair(false, large)));
  const HeardCall own = heard_of(ChannelOptions(), large, patient().compression(Codec::gzip()));
  EXPECT_EQ(own.encoding, "gzip");
}

/// gzip under a name that no channel knows.
class OtherCodec final : public Codec {
 public:
  std::string_view name() const noexcept override { return "x-other"; }
  std::size_t compress(std::span<const std::byte> message, std::span<std::byte> to) const override {
    return gzip().compress(message, to);
  }
  Result<void> inflate(std::span<const std::byte> compressed, CodecOutput& to) const override {
    return gzip().inflate(compressed, to);
  }
};

TEST_P(ClientCompression, ACodecThatTheChannelDoesNotKnowIsAMistake) {
  static const OtherCodec other;
  ScriptedServer server({[](SessionPeer& peer) { peer.answer_all("reply"); }});
  const Channel channel("mine", server.options());
  const Channel knowing("mine", server.options().codec(other));
  const CallOptions options = patient().compression(other);

  const Status status = call(ClientStub(channel, test_methods), large, options).status();

  EXPECT_EQ(status.code(), StatusCode::failed_precondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("x-other"));
  EXPECT_TRUE(call(ClientStub(knowing, test_methods), large, options));
}

TEST_P(ClientCompression, WhatIsBelowTheThresholdGoesAsItIs) {
  const ChannelOptions gzip = ChannelOptions().compression(Codec::gzip());

  EXPECT_THAT(heard_of(gzip, words(1020)).messages, ElementsAre(Pair(false, words(1020))));
  EXPECT_THAT(heard_of(gzip, words(1021)).messages, ElementsAre(Pair(true, words(1021))));
}

TEST_P(ClientCompression, RepliesInAKnownEncodingAreRead) {
  EXPECT_EQ(answered_with("gzip", gzipped(large))->value(), large);
  EXPECT_EQ(answered_with("gzip", framed(text_of("plain")))->value(), "plain");
  const std::string deflated = compressed(Codec::deflate(), text_of(large).SerializeAsString());
  EXPECT_EQ(answered_with("deflate", framed(deflated, 1))->value(), large);
}

TEST_P(ClientCompression, RepliesThatAreNoGzipAreInternalAndSayWhatIsWrong) {
  const std::string whole = compressed(Codec::gzip(), "text");
  const std::pair<std::string, const char*> bad[] = {
      {"rubbish", "incorrect header"},
      {whole.substr(0, whole.size() - 1), "cut off"},
      {whole + "xy", "2 bytes stand behind its end"},
      {compressed(Codec::gzip(), "\xff\xff\xff"), "cannot be parsed"},
  };

  for (const auto& [body, what] : bad) {
    const Status status = answered_with("gzip", framed(body, 1)).status();
    EXPECT_EQ(status.code(), StatusCode::internal) << what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }
  EXPECT_THAT(std::string(answered_with("", gzipped("x")).status().message()),
              HasSubstr("the call has no encoding"));
}

TEST_P(ClientCompression, TheLimitIsOfWhatAReplyInflatesTo) {
  const ChannelOptions options = ChannelOptions().max_receive_message_size(1000);

  EXPECT_TRUE(answered_with("gzip", gzipped(words(997)), options));
  const Status status = answered_with("gzip", gzipped(words(998)), options).status();

  EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
  EXPECT_EQ(status.reason(), StatusReason::limit);
  EXPECT_THAT(std::string(status.message()), HasSubstr("limit of 1000 bytes"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("max_receive_message_size"));
}

TEST_P(ClientCompression, ARequestOverTheSendLimitIsResourceExhaustedAndNothingOfItIsSent) {
  const ChannelOptions options = ChannelOptions().max_send_message_size(1000);
  EXPECT_THAT(heard_of(options, words(997)).messages, ElementsAre(Pair(false, words(997))));
  EXPECT_THAT(heard_of(options, words(2000), patient().max_send_message_size(3000)).messages,
              ElementsAre(Pair(false, words(2000))));

  std::size_t heard_bytes = 0;
  ScriptedServer server({[&](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_headers();
    peer.wait_for_end();
    if (stream != nullptr) heard_bytes = peer.heard(*stream).body.size();
  }});
  {
    ChannelOptions to_server = options;
    const Channel channel("mine", to_server.connector(server.options().connector()));
    const Status status = call(ClientStub(channel, test_methods), words(998)).status();
    EXPECT_EQ(status.code(), StatusCode::resource_exhausted);
    EXPECT_THAT(std::string(status.message()), HasSubstr("send limit of 1000 bytes"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("max_send_message_size"));
    EXPECT_TRUE(channel.connect(std::chrono::seconds(1)).ok());
  }
  server.join();
  EXPECT_EQ(heard_bytes, 0U);
}

/// Chats, and says how that ended.
Status chat_blocking(const ClientStub& stub) {
  auto chat = stub.bidi_streaming<Text, Text>(chat_method, patient());
  EXPECT_TRUE(chat.write(text_of(large)));
  EXPECT_TRUE(chat.write(text_of(large), no_compression));
  EXPECT_TRUE(chat.write(text_of("small")));
  EXPECT_TRUE(chat.writes_done());
  std::vector<std::string> replies;
  while (const std::optional<Text> reply = chat.read())
    replies.push_back(reply->value());
  EXPECT_THAT(replies, ElementsAre(large, "plain", "", large));
  return chat.finish();
}

Task<Status> chat_awaiting(ClientStub stub) {
  auto chat = stub.bidi_streaming_async<Text, Text>(chat_method, patient());
  const Text message = text_of(large);
  EXPECT_TRUE(co_await chat.write(message));
  EXPECT_TRUE(co_await chat.write(message, no_compression));
  const Text small = text_of("small");
  EXPECT_TRUE(co_await chat.write(small));
  EXPECT_TRUE(chat.writes_done());
  std::vector<std::string> replies;
  Text reply;
  while (co_await chat.read(reply))
    replies.push_back(reply.value());
  EXPECT_THAT(replies, ElementsAre(large, "plain", "", large));
  co_return co_await chat.finish();
}

TEST_P(ClientCompression, CompressedAndPlainMessagesMixInOneStream) {
  HeardCall seen;
  ScriptedServer server({[&](SessionPeer& peer) {
    http2::Stream* const stream = peer.next_call();
    if (stream == nullptr) return;
    seen = heard(peer, *stream);
    peer.headers(
        *stream,
        {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}});
    peer.bytes(*stream, gzipped(large) + framed(text_of("plain")) + gzipped("") + gzipped(large));
    peer.end(*stream);
    peer.wait_for_end();
  }});
  {
    const Channel channel("mine", server.options().compression(Codec::gzip()));
    const ClientStub stub(channel, test_methods);

    const Status status =
        GetParam() == CallForm::blocking ? chat_blocking(stub) : sync_wait(chat_awaiting(stub));

    EXPECT_TRUE(status.ok()) << status.to_string();
  }
  server.join();
  EXPECT_THAT(seen.messages,
              ElementsAre(Pair(true, large), Pair(false, large), Pair(false, "small")));
}

}  // namespace
}  // namespace nearcall::test
