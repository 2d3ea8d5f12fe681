// SPDX-License-Identifier: Apache-2.0
// Session, input: each frame of RFC 9113 section 6, right and wrong, cut at every byte.
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace test::frames;
using test::broken;
using test::request;
using test::request_words;
using test::Scenario;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

using test::client;
using test::server;

TEST(SessionInput, TellsARequestAndItsBody) {
  Scenario{server, request(1) + data(1, "hello") + data(1, "world", flag::end_stream),
           ElementsAre(request_words, "data 1 helloworld end")}
      .play_all();
}

TEST(SessionInput, TellsARequestWithoutBody) {
  Scenario{server, request(1, flag::end_headers | flag::end_stream),
           ElementsAre(request_words + " end")}
      .play_all();
}

TEST(SessionInput, TakesPaddingAndPriorityAway) {
  std::string payload(1, '\x03');
  payload += be32(0) + "\x10" + request_block() + std::string(3, '\0');
  Scenario{server,
           raw(FrameType::headers, flag::end_headers | flag::padded | flag::priority, 1, payload) +
               padded_data(1, "abc", 200) + padded_data(1, "", 3) +
               padded_data(1, "d", 0, flag::end_stream),
           ElementsAre(request_words, "data 1 abcd end")}
      .play_all();
}

TEST(SessionInput, RefusesPaddingAsLongAsTheFrame) {
  broken(server,
         request(1) + raw(FrameType::data, flag::padded, 1,
                          "\x05"
                          "abcd"),
         "PROTOCOL_ERROR", "padding")
      .play_all();
  broken(server,
         raw(FrameType::headers, flag::padded | flag::end_headers, 1,
             "\x05"
             "abcd"),
         "PROTOCOL_ERROR", "padding")
      .play_all();
}

TEST(SessionInput, AnswersPing) {
  Scenario{server, ping("12345678"), IsEmpty(), ElementsAre("PING 12345678 ACK")}.play_all();
}

TEST(SessionInput, TellsAPingsAck) {
  Scenario{client, ping(std::string_view("\0\0\0\0\0\0\x01\x02", 8), flag::ack),
           ElementsAre("ping_ack 258")}
      .play_all();
}

TEST(SessionInput, AcknowledgesSettingsAndShowsUnknownOnes) {
  Scenario{client,
           settings({{SettingId::max_concurrent_streams, 1},
                     {static_cast<SettingId>(0xf00d), 7},
                     {SettingId::initial_window_size, 10},
                     {static_cast<SettingId>(0xf00e), 8}}),
           ElementsAre("unknown_setting 61453=7", "unknown_setting 61454=8", "settings"),
           ElementsAre("SETTINGS ACK")}
      .play_all();
}

TEST(SessionInput, ShowsUnknownFramesAndGoesOn) {
  Scenario{server, raw(static_cast<FrameType>(0xee), 0x55, 77, "some") + ping("12345678"),
           ElementsAre("unknown_frame 238/85/77 some"), ElementsAre("PING 12345678 ACK")}
      .play_all();
}

TEST(SessionInput, SkipsUnknownFramesBeyondTheLimit) {
  Scenario scenario{
      server, raw(static_cast<FrameType>(0xee), 0, 0, std::string(20, 'x')) + ping("12345678"),
      IsEmpty(), ElementsAre("PING 12345678 ACK")};
  scenario.options.limits->max_unknown_payload = 19;
  scenario.play_all();
}

TEST(SessionInput, IgnoresPriority) {
  Scenario{server, priority(5, 3) + request(1), ElementsAre(request_words)}.play_all();
}

TEST(SessionInput, TellsAReset) {
  Scenario{server, request(1) + rst_stream(1, ErrorCode::cancel),
           ElementsAre(request_words, "reset 1 CANCEL")}
      .play_all();
}

TEST(SessionInput, TellsAClientThatARefusedStreamWasNotProcessed) {
  Scenario{client, rst_stream(1, ErrorCode::refused_stream),
           ElementsAre("reset 1 REFUSED_STREAM unprocessed"), IsEmpty(), test::with_request}
      .play_all();
}

TEST(SessionInput, TellsAGoawayAndTheStreamsItCovers) {
  Scenario{client, goaway(1, ErrorCode::no_error, "bye"),
           ElementsAre("goaway 1 NO_ERROR bye", "reset 3 NO_ERROR unprocessed"), IsEmpty(),
           [](test::ScriptedPeer& peer) {
             test::with_request(peer);
             test::with_request(peer);
           }}
      .play_all();
}

TEST(SessionInput, TellsTheStreamsThatAGoawayCoversInTheirOrder) {
  Scenario{client, goaway(1, ErrorCode::no_error),
           ElementsAre("goaway 1 NO_ERROR", "reset 3 NO_ERROR unprocessed",
                       "reset 5 NO_ERROR unprocessed", "reset 7 NO_ERROR unprocessed"),
           IsEmpty(),
           [](test::ScriptedPeer& peer) {
             for (int request = 0; request < 4; ++request)
               test::with_request(peer);
           }}
      .play_all();
}

TEST(SessionInput, RefusesAGoawayThatTakesBackAnother) {
  broken(client, goaway(1, ErrorCode::no_error) + goaway(3, ErrorCode::no_error), "PROTOCOL_ERROR",
         "higher last id")
      .play_all();
}

// ---- connection errors (5.4.1) ------------------------------------------------------------------

TEST(SessionInput, RefusesFramesOfWrongLength) {
  broken(server, ping("1234567"), "FRAME_SIZE_ERROR", "PING").play_all();
  broken(server, raw(FrameType::settings, 0, 0, "12345"), "FRAME_SIZE_ERROR", "SETTINGS")
      .play_all();
  broken(server, raw(FrameType::settings, flag::ack, 0, "123456"), "FRAME_SIZE_ERROR", "ACK")
      .play_all();
  broken(server, request(1) + raw(FrameType::rst_stream, 0, 1, "123"), "FRAME_SIZE_ERROR", "RST")
      .play_all();
  broken(server, raw(FrameType::window_update, 0, 0, "12345"), "FRAME_SIZE_ERROR", "WINDOW_UPDATE")
      .play_all();
  broken(server, raw(FrameType::goaway, 0, 0, "1234567"), "FRAME_SIZE_ERROR", "GOAWAY").play_all();
  broken(server, raw(FrameType::priority, 0, 1, "1234"), "FRAME_SIZE_ERROR", "PRIORITY").play_all();
  broken(server, request(1) + raw(FrameType::data, flag::padded, 1, ""), "FRAME_SIZE_ERROR", "DATA")
      .play_all();
  broken(server, raw(FrameType::headers, flag::padded, 1, ""), "FRAME_SIZE_ERROR", "HEADERS")
      .play_all();
  broken(server, raw(FrameType::headers, flag::priority, 1, "1234"), "FRAME_SIZE_ERROR", "HEADERS")
      .play_all();
}

TEST(SessionInput, RefusesFramesAboveTheMaximumByTheirHeaderAlone) {
  SessionOptions options;
  options.max_frame_size = min_max_frame_size;
  Scenario scenario =
      broken(server, raw(FrameType::data, 0, 1, "", 16'385), "FRAME_SIZE_ERROR", "MAX_FRAME_SIZE");
  scenario.options = options;
  scenario.play_all();
}

TEST(SessionInput, RefusesFramesOnTheWrongStream) {
  broken(server, data(0, "x"), "PROTOCOL_ERROR", "stream 0").play_all();
  broken(server, headers(0, request_block()), "PROTOCOL_ERROR", "stream 0").play_all();
  broken(server, priority(0, 1), "PROTOCOL_ERROR", "stream 0").play_all();
  broken(server, rst_stream(0, ErrorCode::cancel), "PROTOCOL_ERROR", "stream 0").play_all();
  broken(server, raw(FrameType::settings, 0, 1, ""), "PROTOCOL_ERROR", "on a stream").play_all();
  broken(server, raw(FrameType::ping, 0, 1, "12345678"), "PROTOCOL_ERROR", "on a stream")
      .play_all();
  broken(server, raw(FrameType::goaway, 0, 1, "12345678"), "PROTOCOL_ERROR", "on a stream")
      .play_all();
}

TEST(SessionInput, RefusesFramesOnIdleStreams) {
  broken(server, data(1, "x"), "PROTOCOL_ERROR", "never opened").play_all();
  broken(server, rst_stream(1, ErrorCode::cancel), "PROTOCOL_ERROR", "idle").play_all();
  broken(server, window_update(1, 1), "PROTOCOL_ERROR", "idle").play_all();
  broken(client, headers(1, response_block()), "PROTOCOL_ERROR", "never opened").play_all();
  broken(client, headers(2, response_block()), "PROTOCOL_ERROR", "never opened").play_all();
  broken(server, headers(2, request_block()), "PROTOCOL_ERROR", "never opened").play_all();
}

TEST(SessionInput, RefusesPushPromise) {
  broken(client, raw(FrameType::push_promise, flag::end_headers, 1, be32(2) + response_block()),
         "PROTOCOL_ERROR", "PUSH_PROMISE")
      .play_all();
}

TEST(SessionInput, RefusesSettingsOutOfRange) {
  broken(server, settings({{SettingId::enable_push, 2}}), "PROTOCOL_ERROR", "PUSH").play_all();
  broken(client, settings({{SettingId::enable_push, 1}}), "PROTOCOL_ERROR", "PUSH").play_all();
  broken(server, settings({{SettingId::initial_window_size, 0x8000'0000U}}), "FLOW_CONTROL_ERROR",
         "2^31-1")
      .play_all();
  broken(server, settings({{SettingId::max_frame_size, 16'383}}), "PROTOCOL_ERROR", "2^14")
      .play_all();
  broken(server, settings({{SettingId::max_frame_size, 16'777'216}}), "PROTOCOL_ERROR", "2^14")
      .play_all();
  broken(server, settings_ack(), "PROTOCOL_ERROR", "ACK of no SETTINGS").play_all();
}

TEST(SessionInput, RefusesAWindowUpdateByZeroOrBeyondTheMaximum) {
  broken(server, window_update(0, 0), "PROTOCOL_ERROR", "by 0").play_all();
  broken(server, window_update(0, max_window_size), "FLOW_CONTROL_ERROR", "2^31-1").play_all();
  Scenario{server, request(1) + window_update(1, 0),
           ElementsAre(request_words, "reset 1 PROTOCOL_ERROR local (WINDOW_UPDATE by 0)"),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
  Scenario{server, request(1) + window_update(1, max_window_size),
           ElementsAre(request_words, StartsWith("reset 1 FLOW_CONTROL_ERROR local")),
           ElementsAre("RST_STREAM 1 FLOW_CONTROL_ERROR")}
      .play_all();
}

TEST(SessionInput, RefusesSettingsThatOverflowAStreamsWindow) {
  broken(server,
         request(1) + window_update(1, max_window_size - 65'535) +
             settings({{SettingId::initial_window_size, 65'536}}),
         "FLOW_CONTROL_ERROR", "overflows")
      .play_all();
}

TEST(SessionInput, RefusesDataBeyondTheConnectionsWindow) {
  Scenario scenario = broken(server, request(1) + raw(FrameType::data, 0, 1, "", 100'000),
                             "FLOW_CONTROL_ERROR", "connection's window");
  scenario.options.limits->max_buffered_input = 80'000;
  scenario.options.initial_window_size = 200'000;
  scenario.play_all();
}

// ---- stream errors (5.4.2) ----------------------------------------------------------------------

TEST(SessionInput, ResetsAStreamWithDataBeyondItsWindow) {
  Scenario scenario{server, request(1) + data(1, "12345678901") + data(1, "late"),
                    ElementsAre(request_words, StartsWith("reset 1 FLOW_CONTROL_ERROR local")),
                    ElementsAre("RST_STREAM 1 FLOW_CONTROL_ERROR")};
  scenario.options.initial_window_size = 10;
  scenario.play_all();
}

TEST(SessionInput, CountsPaddingAgainstTheWindow) {
  Scenario scenario{server, request(1) + padded_data(1, "1234", 6),
                    ElementsAre(request_words, StartsWith("reset 1 FLOW_CONTROL_ERROR local")),
                    ElementsAre("RST_STREAM 1 FLOW_CONTROL_ERROR")};
  scenario.options.initial_window_size = 10;
  scenario.play_all();
}

TEST(SessionInput, ResetsAStreamWithFramesAfterEndStream) {
  const std::string ended = request(1, flag::end_headers | flag::end_stream);
  Scenario{server, ended + data(1, "x"),
           ElementsAre(request_words + " end", StartsWith("reset 1 STREAM_CLOSED local")),
           ElementsAre("RST_STREAM 1 STREAM_CLOSED")}
      .play_all();
  Scenario{server, ended + headers(1, trailers_block(), flag::end_headers | flag::end_stream),
           ElementsAre(request_words + " end", StartsWith("reset 1 STREAM_CLOSED local")),
           ElementsAre("RST_STREAM 1 STREAM_CLOSED")}
      .play_all();
}

TEST(SessionInput, ResetsAResponseThatBeginsWithData) {
  Scenario{client, data(1, "x"), ElementsAre(StartsWith("reset 1 PROTOCOL_ERROR local")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR"), test::with_request}
      .play_all();
}

TEST(SessionInput, ComparesTheBodyWithContentLength) {
  const auto sized = [](std::string_view length) {
    return headers(1, request_block() + block({{"content-length", length}}));
  };
  Scenario{server, sized("5") + data(1, "hello", flag::end_stream),
           ElementsAre(StartsWith("headers"), "data 1 hello end")}
      .play_all();
  Scenario{server, sized("4") + data(1, "hello", flag::end_stream),
           ElementsAre(StartsWith("headers"), HasSubstr("more DATA than content-length")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
  Scenario{server, sized("6") + data(1, "", flag::end_stream),
           ElementsAre(StartsWith("headers"), HasSubstr("less DATA than content-length")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
  Scenario{server, sized("6") + headers(1, trailers_block(), flag::end_headers | flag::end_stream),
           ElementsAre(StartsWith("headers"), HasSubstr("less DATA than content-length")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
}

TEST(SessionInput, ResetsAStreamThatDependsOnItself) {
  const std::string payload = be32(1) + "\x10" + request_block();
  Scenario{server, raw(FrameType::headers, flag::end_headers | flag::priority, 1, payload),
           IsEmpty(), ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
  Scenario{server, request(1) + priority(1, 1),
           ElementsAre(request_words, StartsWith("reset 1 PROTOCOL_ERROR local")),
           ElementsAre("RST_STREAM 1 PROTOCOL_ERROR")}
      .play_all();
}

// ---- closed streams (5.1) -----------------------------------------------------------------------

/// The server's session answers stream 1 completely and releases it.
void finish_stream_1(test::ScriptedPeer& peer) {
  peer.says(request(1, flag::end_headers | flag::end_stream));
  peer.session().send_headers(peer.stream(1), test::ok_trailers(), {}, /*end_stream=*/true);
  peer.session().release(peer.stream(1));
}

TEST(SessionInput, RefusesFramesOnAStreamThatIsComplete) {
  for (const std::string& frame : {data(1, "x"), headers(1, trailers_block())}) {
    Scenario scenario = broken(server, frame, "STREAM_CLOSED", "closed stream");
    scenario.prepare = finish_stream_1;
    scenario.play_all();
  }
}

TEST(SessionInput, IgnoresWindowUpdatesAndResetsOfAStreamThatIsComplete) {
  Scenario scenario{server,
                    window_update(1, 5) + rst_stream(1, ErrorCode::cancel) + priority(1, 3)};
  scenario.prepare = finish_stream_1;
  scenario.play_all();
}

TEST(SessionInput, RefusesDataOnAStreamThatThePeerReset) {
  broken(server, request(1) + rst_stream(1, ErrorCode::cancel) + data(1, "x"), "STREAM_CLOSED",
         "closed stream")
      .play_all();
}

TEST(SessionInput, IgnoresWhatComesOnAStreamThatWeReset) {
  for (const bool is_released : {false, true}) {
    Scenario{client,
             headers(1, response_block()) + data(1, "late") + window_update(1, 3) +
                 headers(1, trailers_block(), flag::end_headers | flag::end_stream) +
                 ping("12345678"),
             IsEmpty(), ElementsAre("PING 12345678 ACK"),
             [is_released](test::ScriptedPeer& peer) {
               Stream& stream = peer.session().open_stream(test::request_head(), {}, true, nullptr);
               peer.session().reset_stream(stream, ErrorCode::cancel);
               if (is_released) peer.session().release(stream);
             }}
        .play_all();
  }
}

TEST(SessionInput, SaysNothingMoreAfterAConnectionError) {
  Scenario{server, ping("1234567") + request(1) + ping("12345678"),
           ElementsAre(StartsWith("connection_error FRAME_SIZE_ERROR")),
           ElementsAre("GOAWAY 0 FRAME_SIZE_ERROR")}
      .play_all();
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
