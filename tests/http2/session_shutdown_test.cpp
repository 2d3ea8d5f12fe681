// SPDX-License-Identifier: Apache-2.0
// Session: shutting down, extension frames, visiting streams.
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

using namespace std::chrono_literals;
using test::Answering;
using test::ScriptedPeer;
using test::SessionPair;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
namespace frames = test::frames;

// ---- shutdown (6.8) -----------------------------------------------------------------------------

TEST(Session, ShutsDownInTwoPhases) {
  Answering peer;
  peer.session().announce_shutdown();
  peer.session().send_ping(0x0102030405060708);
  EXPECT_THAT(peer.hears_words(),
              ElementsAre("GOAWAY 2147483647 NO_ERROR", "PING \1\2\3\4\5\6\7\x8"));
  peer.says(frames::headers(3, frames::request_block(), 0x5));
  peer.says(frames::ping("\1\2\3\4\5\6\7\x8", 0x1));
  EXPECT_EQ(peer.last_event(), "ping_ack 72623859790382856");
  peer.session().send_goaway(ErrorCode::no_error, "stopping");
  EXPECT_THAT(peer.hears_words(), ElementsAre("GOAWAY 3 NO_ERROR"));
  EXPECT_FALSE(peer.session().is_drained());
  peer.session().release(peer.stream(1));
  peer.session().release(peer.stream(3));
  EXPECT_TRUE(peer.session().is_drained());
}

TEST(Session, AServerThatGoesBeforeThePrefaceCameSaysSoBehindItsSettings) {
  ScriptedPeer peer(Role::server);
  peer.session().send_goaway(ErrorCode::no_error, "elsewhere");
  EXPECT_THAT(peer.hears_words(),
              ElementsAre("SETTINGS", StartsWith("WINDOW_UPDATE"), "GOAWAY 0 NO_ERROR"));
  EXPECT_TRUE(peer.session().is_drained());

  peer.says(frames::preface() + frames::settings() + frames::headers(1, frames::request_block()));
  EXPECT_THAT(peer.hears_words(), ElementsAre("SETTINGS ACK")) << "the rest was said";
  EXPECT_EQ(peer.session().stream_count(), 0U);
}

TEST(Session, AServerThatAnnouncesItsEndBeforeThePrefaceSaysSoWhenThatComes) {
  ScriptedPeer peer(Role::server);
  peer.session().announce_shutdown();
  EXPECT_THAT(peer.hears_words(), IsEmpty());

  peer.says(frames::preface());
  EXPECT_THAT(peer.hears_words(),
              ElementsAre("SETTINGS", StartsWith("WINDOW_UPDATE"), "GOAWAY 2147483647 NO_ERROR"));
}

TEST(Session, AClientThatSaidGoawayIsDrainedWithoutStreams) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);
  EXPECT_FALSE(peer.session().is_drained());
  peer.session().send_goaway(ErrorCode::no_error, "");
  EXPECT_TRUE(peer.session().is_drained());
}

TEST(Session, SendsFramesOfExtensions) {
  Answering peer;
  peer.session().send_frame(0xee, 0x3, 0, as_bytes("payload"));
  EXPECT_EQ(peer.hears_bytes(), frames::raw(static_cast<FrameType>(0xee), 0x3, 0, "payload"));
}

TEST(Session, LetsTheOwnerReleaseEachStreamWhileVisitingThem) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);
  for (int i = 0; i < 20; ++i) {
    test::with_request(peer);
  }
  int visited = 0;
  peer.session().for_each_stream([&](Stream& stream) {
    ++visited;
    peer.session().release(stream);
  });
  EXPECT_EQ(visited, 20);
  EXPECT_EQ(peer.session().stream_count(), 0U);
  peer.session().trim();
  test::with_request(peer);
  EXPECT_EQ(peer.session().stream_count(), 1U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
