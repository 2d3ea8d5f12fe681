// SPDX-License-Identifier: Apache-2.0
// Conformance rows: a section of an RFC, what the peer says, and how a session has to react.
#pragma once

#include "http2/scenario.hpp"
#include "http2/session.hpp"
#include "support/scripted_peer.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

namespace nearcall::test {

namespace http2 = detail::http2;

/// One row of a table. `reaction` is "nothing", "stream 1 PROTOCOL_ERROR", "connection
/// PROTOCOL_ERROR", "closed" (without a word) or the frames of an answer, "PING 12345678 ACK".
struct Conformance {
  std::string_view section;
  std::string_view what;
  std::string bytes;
  std::string_view reaction;
  void (*prepare)(ScriptedPeer&) = nullptr;
};

inline std::string reaction_of(ScriptedPeer& peer) {
  std::string answer;
  for (const HeardFrame& frame : peer.hears()) {
    const std::string words = in_words(frame);
    switch (frame.header.type) {
      case http2::FrameType::goaway:
        return "connection" + words.substr(words.rfind(' '));
      case http2::FrameType::rst_stream:
        return "stream" + words.substr(words.find(' '));
      case http2::FrameType::window_update:
        break;
      default:
        answer += (answer.empty() ? "" : ", ") + words;
    }
  }
  if (peer.session().is_broken()) return "closed";
  return answer.empty() ? "nothing" : answer;
}

/// After a reaction that spares the connection everything still works: the next ping and, at a
/// server, the next request.
inline void expect_alive(ScriptedPeer& peer, http2::Role role) {
  const auto opened = peer.session().stats().streams_opened;
  peer.says(frames::ping("stillyou"));
  EXPECT_EQ(reaction_of(peer), "PING stillyou ACK");
  if (role == http2::Role::client) return;
  peer.says(request(0x7fff'ffff));
  EXPECT_EQ(peer.session().stats().streams_opened, opened + 1);
}

/// Plays each row to a session of that role, past its handshake, whole and byte by byte.
inline void expect_conformance(http2::Role role, std::span<const Conformance> rows) {
  for (const Conformance& row : rows) {
    for (const Cut cut : {whole, row.bytes.size() < 50'000 ? byte_by_byte : Cut{1, 4096}}) {
      SCOPED_TRACE(testing::Message() << row.section << ": " << row.what);
      ScriptedPeer peer(role, {}, cut);
      ScriptedPeer::shake_hands(peer, role);
      if (row.prepare != nullptr) row.prepare(peer);
      peer.hears();
      peer.says(row.bytes);
      EXPECT_EQ(reaction_of(peer), row.reaction);
      if (!peer.session().is_broken()) expect_alive(peer, role);
    }
  }
}

}  // namespace nearcall::test
