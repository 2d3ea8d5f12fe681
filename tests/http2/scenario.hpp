// SPDX-License-Identifier: Apache-2.0
// Scenario: what a peer says in one go, played to a session whole, byte by byte and cut anywhere.
#pragma once

#include "support/scripted_peer.hpp"
#include "support/session_pair.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

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

  /// Both ways that DATA behind headers may go have to come to the same.
  void play(Cut cut) const {
    play(cut, /*looks_behind=*/false);
    play(cut, /*looks_behind=*/true);
  }
  void play(Cut cut, bool looks_behind) const {
    ScriptedPeer peer(role, options, cut);
    peer.looks_behind = looks_behind;
    ScriptedPeer::shake_hands(peer, role);
    prepare(peer);
    peer.hears();
    peer.events();
    peer.says(bytes);
    EXPECT_THAT(peer.events(), events) << "cut at " << cut.first << ", then every " << cut.rest
                                       << (looks_behind ? ", looks behind" : "");
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

inline const std::string request_words =
    "headers 1 :method=POST :scheme=http :path=/a.B/C :authority=localhost te=trailers "
    "content-type=application/grpc";
inline std::string request(http2::StreamId id, std::uint8_t flags = frames::flag::end_headers) {
  return frames::headers(id, frames::request_block(), flags);
}
/// A scenario that ends the connection: what it is told, and GOAWAY with that code.
inline Scenario broken(http2::Role role, std::string bytes, std::string code, std::string what) {
  Scenario scenario{role, std::move(bytes)};
  scenario.events = testing::Contains(
      testing::AllOf(testing::StartsWith("connection_error " + code), testing::HasSubstr(what)));
  scenario.answers = testing::Contains(testing::EndsWith(code)).Times(1);
  return scenario;
}

/// A client's session with one request sent.
inline void with_request(ScriptedPeer& peer) {
  peer.session().open_stream(request_head(), {}, /*end_stream=*/true, nullptr);
}
inline void with_open_request(ScriptedPeer& peer) {
  peer.session().open_stream(request_head(), {}, /*end_stream=*/false, nullptr);
}

/// A server's session that has the request of stream 1, and windows as the peer set them.
struct Answering : ScriptedPeer {
  explicit Answering(std::initializer_list<http2::Setting> settings = {},
                     http2::SessionOptions options = {})
      : ScriptedPeer(http2::Role::server, options) {
    shake_hands(*this, http2::Role::server, settings);
    says(frames::headers(1, frames::request_block(), 0x5));
    session().send_headers(stream(1), response_head(), {}, /*end_stream=*/false);
    hears();
    events();
  }
  void send(std::string_view text, bool end_stream = false) {
    send_text(session(), stream(1), text, end_stream);
  }
};

}  // namespace nearcall::test
