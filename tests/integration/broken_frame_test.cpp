// SPDX-License-Identifier: Apache-2.0
// Frames and headers that break RFC 9113: the right code, for the stream or the connection alone.
#include "integration/echo_frames.hpp"
#include "integration/server_process.hpp"

#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;
namespace {

using http2::ErrorCode;
using http2::FrameType;
namespace flag = http2::frame_flag;

struct Broken {
  const char* name;
  std::string bytes;
  ErrorCode code;
};

std::string waiting_request() {
  EchoRequest request;
  request.set_wait_for_cancel(true);
  return request.SerializeAsString();
}

std::string with_fields(std::initializer_list<http2::HeaderField> fields) {
  return frames::headers(1, frames::block(fields), flag::end_headers | flag::end_stream);
}

std::vector<Broken> all_of(std::initializer_list<std::vector<Broken>> kinds) {
  std::vector<Broken> all;
  for (const std::vector<Broken>& kind : kinds)
    all.insert(all.end(), kind.begin(), kind.end());
  return all;
}

std::vector<Broken> wrong_stream_ids() {
  using enum ErrorCode;
  return {
      {"DATA on stream 0", frames::data(0, "x"), protocol_error},
      {"HEADERS on stream 0", frames::headers(0, frames::request_block(unary_path)),
       protocol_error},
      {"HEADERS on an even stream", frames::headers(2, frames::request_block(unary_path)),
       protocol_error},
      {"HEADERS on a lower stream",
       frames::headers(5, frames::request_block(chat_path)) +
           frames::headers(3, frames::request_block(chat_path)),
       protocol_error},
      {"DATA on an idle stream", frames::data(1, "x"), protocol_error},
      {"RST_STREAM on an idle stream", frames::rst_stream(1, cancel), protocol_error},
      {"WINDOW_UPDATE on an idle stream", frames::window_update(1, 1), protocol_error},
  };
}

std::vector<Broken> wrong_frames_of_the_connection() {
  using enum ErrorCode;
  return {
      {"WINDOW_UPDATE by 0", frames::window_update(0, 0), protocol_error},
      {"WINDOW_UPDATE above the maximum", frames::window_update(0, 0x7fff'ffff),
       flow_control_error},
      {"WINDOW_UPDATE of 3 bytes", frames::raw(FrameType::window_update, 0, 0, "abc"),
       frame_size_error},
      {"SETTINGS on a stream", frames::raw(FrameType::settings, 0, 1, ""), protocol_error},
      {"SETTINGS of 5 bytes", frames::raw(FrameType::settings, 0, 0, "12345"), frame_size_error},
      {"SETTINGS ACK with a payload", frames::raw(FrameType::settings, flag::ack, 0, "123456"),
       frame_size_error},
      {"ENABLE_PUSH of 2", frames::settings({{http2::SettingId::enable_push, 2}}), protocol_error},
      {"INITIAL_WINDOW_SIZE above the maximum",
       frames::settings({{http2::SettingId::initial_window_size, 0x8000'0000}}),
       flow_control_error},
      {"MAX_FRAME_SIZE of 100", frames::settings({{http2::SettingId::max_frame_size, 100}}),
       protocol_error},
      {"PING on a stream", frames::raw(FrameType::ping, 0, 1, "12345678"), protocol_error},
      {"PING of 7 bytes", frames::raw(FrameType::ping, 0, 0, "1234567"), frame_size_error},
      {"GOAWAY on a stream", frames::raw(FrameType::goaway, 0, 1, std::string(8, '\0')),
       protocol_error},
      {"GOAWAY of 7 bytes", frames::raw(FrameType::goaway, 0, 0, "1234567"), frame_size_error},
  };
}

std::vector<Broken> wrong_frames_of_streams() {
  using enum ErrorCode;
  const std::string open = frames::headers(1, frames::request_block(chat_path));
  return {
      {"RST_STREAM on stream 0", frames::rst_stream(0, cancel), protocol_error},
      {"RST_STREAM of 3 bytes", open + frames::raw(FrameType::rst_stream, 0, 1, "123"),
       frame_size_error},
      {"PUSH_PROMISE from a client",
       open + frames::raw(FrameType::push_promise, flag::end_headers, 1, frames::be32(2)),
       protocol_error},
      {"PRIORITY on stream 0", frames::priority(0, 1), protocol_error},
      {"CONTINUATION without HEADERS", frames::continuation(1, "x"), protocol_error},
      {"a PING inside a header block",
       frames::headers(1, frames::request_block(chat_path), 0) + frames::ping("12345678"),
       protocol_error},
      {"CONTINUATION of another stream",
       frames::headers(1, frames::request_block(chat_path), 0) + frames::continuation(3, ""),
       protocol_error},
      {"a frame above the maximum size", open + frames::raw(FrameType::data, 0, 1, "", 0xff'ffff),
       frame_size_error},
      {"padding as long as the frame",
       open + frames::raw(FrameType::data, flag::padded, 1, std::string("\x05xxxx", 5)),
       protocol_error},
  };
}

std::vector<Broken> wrong_header_blocks() {
  using enum ErrorCode;
  return {
      {"HPACK that refers to nothing", frames::headers(1, "\xff\xff\xff\x01"), compression_error},
      {"HPACK that stops halfway",
       frames::headers(1, std::string("\x40\x0a"
                                      "abc",
                                      5)),
       compression_error},
      {"HPACK with a bad Huffman end", frames::headers(1, std::string("\x40\x81\x00\x01x", 5)),
       compression_error},
      {"HPACK table above the limit", frames::headers(1, std::string("\x3f\xe1\xff\x03", 4)),
       compression_error},
  };
}

std::vector<Broken> frames_of_closed_streams() {
  using enum ErrorCode;
  const std::string closed = whole_call(1, unary_path, "");
  return {
      {"DATA on a closed stream", closed + frames::data(1, "x"), stream_closed},
      {"HEADERS on a closed stream", closed + frames::headers(1, frames::request_block(unary_path)),
       stream_closed},
  };
}

std::vector<Broken> wrong_request_heads() {
  using enum ErrorCode;
  return {
      {"upper case",
       with_fields({{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {"Upper", "x"}}),
       protocol_error},
      {"no :path", with_fields({{":method", "POST"}, {":scheme", "http"}}), protocol_error},
      {"an empty :path", with_fields({{":method", "POST"}, {":scheme", "http"}, {":path", ""}}),
       protocol_error},
      {"two :path",
       with_fields(
           {{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {":path", "/a/b"}}),
       protocol_error},
      {"an unknown pseudo-header",
       with_fields({{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {":new", "x"}}),
       protocol_error},
      {"a response's pseudo-header",
       with_fields({{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {":status", "1"}}),
       protocol_error},
      {"a pseudo-header behind others",
       with_fields({{":method", "POST"}, {":scheme", "http"}, {"a", "b"}, {":path", "/a/b"}}),
       protocol_error},
      {"connection",
       with_fields(
           {{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {"connection", "close"}}),
       protocol_error},
      {"transfer-encoding",
       with_fields({{":method", "POST"},
                    {":scheme", "http"},
                    {":path", "/a/b"},
                    {"transfer-encoding", "chunked"}}),
       protocol_error},
      {"te: gzip",
       with_fields({{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {"te", "gzip"}}),
       protocol_error},
      {"a line end in a value",
       with_fields(
           {{":method", "POST"}, {":scheme", "http"}, {":path", "/a/b"}, {"x", "a\r\nevil: 1"}}),
       protocol_error},
  };
}

std::vector<Broken> wrong_rest_of_requests() {
  using enum ErrorCode;
  const std::string open = frames::headers(1, frames::request_block(chat_path));
  return {
      {"trailers without END_STREAM", open + frames::headers(1, frames::block({{"a", "b"}})),
       protocol_error},
      {"trailers with pseudo-headers",
       open + frames::headers(1, frames::block({{":path", "/a/b"}}),
                              flag::end_headers | flag::end_stream),
       protocol_error},
      {"a stream's WINDOW_UPDATE by 0", open + frames::window_update(1, 0), protocol_error},
      {"a stream's window above the maximum", open + frames::window_update(1, 0x7fff'ffff),
       flow_control_error},
      {"DATA behind END_STREAM",
       whole_call(1, unary_path, waiting_request()) + frames::data(1, "x"), stream_closed},
      {"more DATA than content-length",
       frames::headers(1, frames::block({{":method", "POST"},
                                         {":scheme", "http"},
                                         {":path", chat_path},
                                         {"te", "trailers"},
                                         {"content-type", "application/grpc"},
                                         {"content-length", "3"}})) +
           frames::data(1, framed("")),
       protocol_error},
      {"a stream that depends on itself", open + frames::priority(1, 1), protocol_error},
  };
}

class BrokenFrame : public ServerProcessTest {};

TEST_F(BrokenFrame, OfTheConnectionIsAnsweredWithGoawayAndTheRightCode) {
  for (const Broken& broken :
       all_of({wrong_stream_ids(), wrong_frames_of_the_connection(), wrong_frames_of_streams(),
               wrong_header_blocks(), frames_of_closed_streams()})) {
    SCOPED_TRACE(broken.name);
    FramePeer peer(server_.path());
    ASSERT_TRUE(peer.greet());

    peer.say(broken.bytes);

    EXPECT_TRUE(peer.hear_end());
    ASSERT_TRUE(peer.goaway()) << "closed without a GOAWAY";
    EXPECT_EQ(to_string(*peer.goaway()), to_string(broken.code)) << peer.goaway_text();
  }
  EXPECT_TRUE(serves());
}

TEST_F(BrokenFrame, OfOneStreamIsAnsweredWithResetAndTheOthersGoOn) {
  for (const Broken& broken : all_of({wrong_request_heads(), wrong_rest_of_requests()})) {
    SCOPED_TRACE(broken.name);
    FramePeer peer(server_.path());
    ASSERT_TRUE(peer.greet());

    peer.say(broken.bytes);
    const HeardStream& stream = peer.hear(1);
    peer.say(whole_call(3, unary_path, ""));

    ASSERT_TRUE(stream.reset) << "not reset";
    EXPECT_EQ(to_string(*stream.reset), to_string(broken.code));
    EXPECT_EQ(peer.hear(3).field("grpc-status"), "0");
    EXPECT_FALSE(peer.goaway());
  }
  EXPECT_TRUE(serves());
}

TEST_F(BrokenFrame, OfOneConnectionLeavesTheCallsOfOthersAlone) {
  Channel channel(server_.target());
  const Echo::Client echo(channel);
  auto call = echo.Chat(CallOptions().timeout(std::chrono::seconds(60)));
  ASSERT_TRUE(call.write(request_of("before", 1)));
  ASSERT_TRUE(call.read().has_value());

  for (const Broken& broken :
       all_of({wrong_stream_ids(), wrong_frames_of_the_connection(), wrong_frames_of_streams(),
               wrong_header_blocks(), frames_of_closed_streams()})) {
    FramePeer peer(server_.path());
    ASSERT_TRUE(peer.greet());
    peer.say(broken.bytes);
    EXPECT_TRUE(peer.hear_end());
  }

  ASSERT_TRUE(call.write(request_of("after", 1)));
  const std::optional<EchoReply> reply = call.read();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->payload(), "after");
  call.writes_done();
  EXPECT_TRUE(call.finish().ok());
}

}  // namespace
}  // namespace nearcall::test
