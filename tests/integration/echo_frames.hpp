// SPDX-License-Identifier: Apache-2.0
// Calls of the Echo service in frames, for peers that make them by hand.
#pragma once

#include "support/frame_peer.hpp"
#include "support/scripted_server.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace nearcall::test {

namespace http2 = detail::http2;

inline const std::string unary_path = "/nearcall.test.Echo/Unary";
inline const std::string expand_path = "/nearcall.test.Echo/Expand";
inline const std::string collect_path = "/nearcall.test.Echo/Collect";
inline const std::string chat_path = "/nearcall.test.Echo/Chat";

/// HEADERS and DATA of a whole call.
inline std::string whole_call(http2::StreamId id, std::string_view path, std::string_view message) {
  return frames::headers(id, frames::request_block(path)) +
         frames::data(id, framed(message), frames::flag::end_stream);
}

inline std::string begin() {
  return frames::headers(1, frames::response_block());
}
inline std::string ok() {
  return frames::headers(1, frames::trailers_block(),
                         frames::flag::end_headers | frames::flag::end_stream);
}

/// A server greets, and waits for the first request; false if the client left before.
inline bool awaits_call(FramePeer& client) {
  return client.greet() &&
         client.hear_until([&] { return client.frames_heard(http2::FrameType::headers) > 0; });
}

/// Says `answer` to the first request, and then listens until the client goes.
inline HostileServer::Script answering(std::string answer) {
  return [answer = std::move(answer)](FramePeer& client) {
    if (!awaits_call(client)) return;
    client.say(answer);
    client.hear_end();
  };
}

}  // namespace nearcall::test
