// SPDX-License-Identifier: Apache-2.0
// Session: what honest peers may do at the budgets, and what new calls wait for.
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "http2/session_pair.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::http2 {
namespace {

using test::ScriptedPeer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace frames = test::frames;

/// What a server has said before it learns that the call is cancelled.
std::string late_answer(StreamId id, int messages) {
  std::string bytes = frames::headers(id, frames::response_block());
  for (int i = 0; i < messages; ++i)
    bytes += frames::data(id, std::string(5, '\0'));
  return bytes + frames::headers(id, frames::trailers_block(), 0x5);
}

TEST(SessionBudget, WhatWasOnItsWayForCancelledStreamsIsNoAbuse) {
  ScriptedPeer peer(Role::client);
  ScriptedPeer::shake_hands(peer, Role::client);

  for (StreamId id = 1; id < 20'000; id += 2) {
    test::with_open_request(peer);
    Stream& stream = *[&] {
      Stream* newest = nullptr;
      peer.session().for_each_stream([&](Stream& each) { newest = &each; });
      return newest;
    }();
    peer.session().release(stream);
    peer.hears();
    peer.says(late_answer(id, 3));
    ASSERT_FALSE(peer.session().is_broken()) << id;
  }
}

TEST(SessionBudget, WhatCouldNotHaveBeenOnItsWayIsAbuse) {
  SessionOptions options;
  options.initial_window_size = 65'535;
  options.limits.max_overhead_frames = 100;
  ScriptedPeer peer(Role::client, options);
  ScriptedPeer::shake_hands(peer, Role::client);
  test::with_open_request(peer);
  peer.session().for_each_stream([&](Stream& stream) { peer.session().release(stream); });

  for (int i = 0; i < 200 && !peer.session().is_broken(); ++i)
    peer.says(late_answer(1, 100));

  EXPECT_TRUE(peer.session().is_broken());
  EXPECT_THAT(peer.last_event(), HasSubstr("max_overhead_frames"));
}

TEST(SessionBudget, NewCallsWaitWhileTheOutputIsFullAndAreTold) {
  SessionOptions options;
  options.limits.max_buffered_output_of_new_calls = 1000;
  ScriptedPeer peer(Role::server, options);
  ScriptedPeer::shake_hands(peer, Role::server, {{SettingId::initial_window_size, 0}});
  peer.says(frames::headers(1, frames::request_block(), 0x5));
  peer.session().send_headers(peer.stream(1), test::response_head(), {}, /*end_stream=*/false);
  peer.hears();
  peer.events();
  EXPECT_TRUE(peer.session().has_room_for_calls());
  test::send_text(peer.session(), peer.stream(1), std::string(1000, 'x'), false);

  EXPECT_FALSE(peer.session().has_room_for_calls());
  peer.take_events();
  EXPECT_THAT(peer.events(), IsEmpty());
  peer.says(frames::window_update(1, 1));
  peer.hears();
  peer.take_events();

  EXPECT_THAT(peer.events(), ElementsAre("writable"));
  EXPECT_TRUE(peer.session().has_room_for_calls());
}

}  // namespace
}  // namespace nearcall::http2
