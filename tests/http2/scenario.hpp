// SPDX-License-Identifier: Apache-2.0
// Scenario: what a peer says in one go, played to a session whole, byte by byte and cut anywhere.
#pragma once

#include "http2/session_pair.hpp"
#include "support/scripted_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

using StringsMatcher = testing::Matcher<const std::vector<std::string>&>;

/// Plays `bytes` to a session past its handshake and compares what it tells its owner and its peer.
/// `prepare` may give commands first; what the session says then is not compared.
struct Scenario {
  http2::Role role = http2::Role::server;
  std::string bytes;
  StringsMatcher events = testing::IsEmpty();
  StringsMatcher answers = testing::IsEmpty();
  std::function<void(ScriptedPeer&)> prepare = [](ScriptedPeer&) {};
  http2::SessionOptions options{};

  void play(Cut cut) const {
    ScriptedPeer peer(role, options, cut);
    ScriptedPeer::shake_hands(peer, role);
    prepare(peer);
    peer.hears();
    peer.events();
    peer.says(bytes);
    EXPECT_THAT(peer.events(), events) << "cut at " << cut.first << ", then every " << cut.rest;
    EXPECT_THAT(peer.hears_words(), answers) << "cut at " << cut.first;
  }
  void play_all() const {
    play(whole);
    play(byte_by_byte);
    for (std::size_t at = 1; at < bytes.size() && !testing::Test::HasFailure(); ++at) {
      play({at, std::string::npos});
    }
  }
};

/// A client's session with one request sent.
inline void with_request(ScriptedPeer& peer) {
  peer.session().open_stream(request_head(), {}, /*end_stream=*/true, nullptr);
}
inline void with_open_request(ScriptedPeer& peer) {
  peer.session().open_stream(request_head(), {}, /*end_stream=*/false, nullptr);
}

}  // namespace nearcall::test
