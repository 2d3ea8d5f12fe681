// SPDX-License-Identifier: Apache-2.0
// Session: whole requests and answers in one step are what they are frame by frame.
#include "http2/common.hpp"
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/frames.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

using test::ScriptedPeer;
using test::SessionPair;
using testing::ElementsAre;
using testing::StartsWith;
namespace frames = test::frames;
namespace flag = frame_flag;

// ---- what comes: one event less, and nothing else -----------------------------------------------

/// What a server's owner is told of `bytes` when it looks behind the headers; and whether the DATA
/// was there.
struct Behind {
  explicit Behind(std::string_view bytes, SessionOptions options = {})
      : peer(Role::server, options) {
    ScriptedPeer::shake_hands(peer, Role::server);
    peer.on_event = [this](const Event& event) {
      const auto* const headers = std::get_if<HeadersEvent>(&event);
      if (headers == nullptr) return;
      const DataEvent data = peer.session().data_behind(*headers->stream);
      if (data.stream != nullptr) found.push_back(test::describe(data));
    };
    peer.says(bytes);
  }

  ScriptedPeer peer;
  std::vector<std::string> found;
};

std::string request() {
  return frames::headers(1, frames::request_block());
}

TEST(SessionWhole, GivesTheDataThatLiesBehindItsHeaders) {
  Behind server(request() + frames::data(1, "hello", flag::end_stream));
  EXPECT_THAT(server.found, ElementsAre("data 1 hello end"));
  EXPECT_THAT(server.peer.events(), ElementsAre(StartsWith("headers 1")));
  EXPECT_EQ(server.peer.session().stats().buffered_input, 5U);
}

TEST(SessionWhole, GivesDataBehindWhichThereIsMore) {
  Behind server(request() + frames::data(1, "hello") + frames::data(1, "again", flag::end_stream));
  EXPECT_THAT(server.found, ElementsAre("data 1 hello"));
  EXPECT_THAT(server.peer.events(), ElementsAre(StartsWith("headers 1"), "data 1 again end"));
}

TEST(SessionWhole, LeavesWhatIsUnusualWhereItIs) {
  const std::string hello = frames::data(1, "hello", flag::end_stream);
  const std::string sized = frames::headers(1, frames::block({{":method", "POST"},
                                                              {":scheme", "http"},
                                                              {":path", "/a.B/C"},
                                                              {"content-length", "5"}}));
  const std::vector<std::string> unusual = {
      request() + frames::padded_data(1, "hello", 3, flag::end_stream),
      request() + frames::ping("12345678") + hello,
      sized + hello,
      request() + frames::data(1, "", 0) + hello,
  };
  for (const std::string& bytes : unusual) {
    Behind server(bytes);
    EXPECT_THAT(server.found, ElementsAre());
    EXPECT_EQ(server.peer.last_event(), "data 1 hello end");
  }
}

TEST(SessionWhole, LeavesDataOfWhichAPartIsMissing) {
  const std::string hello = frames::data(1, "hello", flag::end_stream);
  Behind server(request() + hello.substr(0, hello.size() - 1));
  EXPECT_THAT(server.found, ElementsAre());
  server.peer.says(hello.substr(hello.size() - 1));
  EXPECT_EQ(server.peer.last_event(), "data 1 hello end");
}

TEST(SessionWhole, LeavesDataBeyondTheWindowToBeRefused) {
  SessionOptions options;
  options.initial_window_size = 4;
  Behind server(request() + frames::data(1, "hello"), options);
  EXPECT_THAT(server.found, ElementsAre());
  EXPECT_THAT(server.peer.last_event(), StartsWith("reset 1 FLOW_CONTROL_ERROR"));
}

TEST(SessionWhole, GivesNoDataWhenTheTurnIsOver) {
  ScriptedPeer peer(Role::server);
  ScriptedPeer::shake_hands(peer, Role::server);
  bool was_given = true;
  peer.on_event = [&](const Event& event) {
    const auto* const headers = std::get_if<HeadersEvent>(&event);
    if (headers == nullptr) return;
    peer.session().end_turn();
    was_given = peer.session().data_behind(*headers->stream).stream != nullptr;
    peer.session().begin_turn();
  };
  peer.says(request() + frames::data(1, "hello", flag::end_stream));
  EXPECT_FALSE(was_given);
  EXPECT_EQ(peer.last_event(), "data 1 hello end");
}

TEST(SessionWhole, CountsTinyDataAsEver) {
  Behind server(request() + frames::data(1, "x"));
  EXPECT_THAT(server.found, ElementsAre("data 1 x"));
  EXPECT_EQ(server.peer.session().stats().overhead_frames, 1U);
}

// ---- what goes: the same bytes ------------------------------------------------------------------

/// A pair whose encoders know the blocks, so that whole answers can go.
struct Warm : SessionPair {
  explicit Warm(const SessionOptions& client_options = {}) : SessionPair(client_options) {
    on_server = [this](const Event& event) {
      if (const auto* const headers = std::get_if<HeadersEvent>(&event)) asked = headers->stream;
    };
    for (int i = 0; i < 3; ++i) {
      Stream& stream = ask();
      server.send_headers(*asked, test::response_head(), {}, /*end_stream=*/false);
      server.send_headers(*asked, test::ok_trailers(), {}, /*end_stream=*/true);
      run();
      server.release(*asked);
      client.release(stream);
    }
  }
  Stream& ask() {
    Stream& stream = client.open_stream(test::request_head(), {}, /*end_stream=*/true, nullptr);
    run();
    return stream;
  }
  bool answer_whole(std::string_view text) {
    const MutableByteSpan room =
        server.reserve_whole(*asked, test::response_head(), text.size(), test::ok_trailers());
    if (room.empty()) return false;
    std::ranges::copy(as_bytes(text), room.begin());
    server.commit_whole(*asked);
    return true;
  }
  void answer_in_frames(std::string_view text) {
    server.send_headers(*asked, test::response_head(), {}, /*end_stream=*/false);
    test::send_text(server, *asked, text, /*end_stream=*/false);
    server.send_headers(*asked, test::ok_trailers(), {}, /*end_stream=*/true);
  }

  Stream* asked = nullptr;
};

TEST(SessionWhole, AnswersWithTheSameBytesAsFrameByFrame) {
  Warm whole;
  Warm in_frames;
  whole.ask();
  in_frames.ask();
  ASSERT_TRUE(whole.answer_whole("the answer"));
  in_frames.answer_in_frames("the answer");
  EXPECT_TRUE(whole.asked->is_closed());
  EXPECT_EQ(test::take_output(whole.server), test::take_output(in_frames.server));
}

TEST(SessionWhole, AnAnswerStaysWithinTheWindow) {
  SessionOptions options;
  options.initial_window_size = 5;
  Warm pair(options);
  pair.ask();
  EXPECT_FALSE(pair.answer_whole("longer"));
  EXPECT_FALSE(pair.server.has_output());
  EXPECT_TRUE(pair.answer_whole("short"));
}

TEST(SessionWhole, AnAnswerThatIsLeftOutLeavesNothing) {
  Warm pair;
  pair.ask();
  EXPECT_FALSE(pair.server.reserve_whole(*pair.asked, test::response_head(), 5, test::ok_trailers())
                   .empty());
  EXPECT_FALSE(pair.server.has_output());
  EXPECT_TRUE(pair.answer_whole("hello"));
}

TEST(SessionWhole, AnswersInFramesWhatItNeverEncoded) {
  SessionPair pair;
  Stream* asked = nullptr;
  pair.on_server = [&](const Event& event) {
    if (const auto* const headers = std::get_if<HeadersEvent>(&event)) asked = headers->stream;
  };
  pair.client.open_stream(test::request_head(), {}, /*end_stream=*/true, nullptr);
  pair.run();
  ASSERT_NE(asked, nullptr);
  EXPECT_TRUE(
      pair.server.reserve_whole(*asked, test::response_head(), 5, test::ok_trailers()).empty());
}

TEST(SessionWhole, AnswersNothingTwice) {
  Warm pair;
  pair.ask();
  ASSERT_TRUE(pair.answer_whole("hello"));
  EXPECT_FALSE(pair.answer_whole("hello"));
}

TEST(SessionWhole, AsksWithTheSameBytesAsFrameByFrame) {
  Warm whole;
  Warm in_frames;
  Stream* const stream = whole.client.open_whole(test::request_head(),
                                                 as_bytes(std::string_view("a request")), &whole);
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->context(), &whole);
  Stream& other = in_frames.open();
  test::send_text(in_frames.client, other, "a request", /*end_stream=*/true);
  EXPECT_EQ(test::take_output(whole.client), test::take_output(in_frames.client));
}

TEST(SessionWhole, ALargeRequestOpensNothing) {
  Warm pair;
  const std::string large(SendScheduler::max_reserved + 1, 'x');
  EXPECT_EQ(pair.client.open_whole(test::request_head(), as_bytes(large), nullptr), nullptr);
  EXPECT_FALSE(pair.client.has_output());
  EXPECT_EQ(pair.client.stream_count(), 0U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
