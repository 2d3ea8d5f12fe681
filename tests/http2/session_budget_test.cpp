// SPDX-License-Identifier: Apache-2.0
// Session: what honest peers may do at the budgets, and what new calls wait for.
#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
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
  options.limits->max_overhead_frames = 100;
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
  options.limits->max_buffered_output_of_new_calls = 1000;
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

  EXPECT_THAT(peer.events(), ElementsAre("room"));
  EXPECT_TRUE(peer.session().has_room_for_calls());
}

/// A server whose peer asks, is refused with trailers of 1,000 bytes and more, and reads nothing.
struct Deaf : ScriptedPeer {
  Deaf() : ScriptedPeer(Role::server) { shake_hands(*this, Role::server); }

  void asks_and_is_refused() {
    says(frames::headers(id_, frames::request_block(), 0x5));
    session().send_headers(stream(id_), HeaderTemplate::none(),
                           std::array{HeaderField{":status", "200"},
                                      HeaderField{"grpc-message", std::string(1000, 'x')}},
                           /*end_stream=*/true);
    session().release(stream(id_));
    id_ += 2;
  }
  /// How many refusals it takes until the session reads no more.
  int refusals_until_paused() {
    for (int count = 0; count < 100'000; ++count) {
      if (session().should_pause_reading()) return count;
      asks_and_is_refused();
    }
    return -1;
  }

 private:
  StreamId id_ = 1;
};

TEST(SessionBudget, HeadersThatThePeerDoesNotTakeStopTheReadingUntilItDoes) {
  Deaf peer;

  EXPECT_GT(peer.refusals_until_paused(), 1000);

  const std::size_t waiting = peer.session().stats().buffered_output;
  EXPECT_GE(waiting, ConnectionLimits().max_buffered_output);
  EXPECT_LT(waiting, ConnectionLimits().max_buffered_output + 2000);
  peer.hears();
  EXPECT_FALSE(peer.session().should_pause_reading());
}

TEST(SessionBudget, APeerThatTakesNoHeadersIsGivenUpThoughACallIsOpen) {
  Deaf peer;
  peer.says(frames::headers(1'000'001, frames::request_block(), 0x4));
  peer.session().send_headers(peer.stream(1'000'001), test::response_head(), {}, false);
  ASSERT_EQ(peer.session().next_deadline(), no_deadline) << "a reader may pause";
  test::send_text(peer.session(), peer.stream(1'000'001), "x", false);
  const std::string text(8000, 'x');
  const std::array field = {HeaderField{"large", text}};
  for (StreamId id = 1'000'003; !peer.session().should_pause_reading(); id += 2) {
    peer.says(frames::headers(id, frames::request_block(), 0x5));
    peer.session().send_headers(peer.stream(id), test::response_head(), field, true);
    peer.session().release(peer.stream(id));
  }

  peer.session().on_time(peer.now() + ConnectionLimits().stall_timeout);
  peer.take_events();

  EXPECT_THAT(peer.last_event(), HasSubstr("stall_timeout"));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
