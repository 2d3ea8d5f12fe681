// SPDX-License-Identifier: Apache-2.0
// SessionPair: a client's and a server's session, and the bytes between them moved by hand.
#pragma once

#include "http2/session.hpp"
#include "support/messages.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

inline const http2::HeaderTemplate& no_stable_fields() {
  static const http2::HeaderTemplate none(std::span<const http2::HeaderField>{});
  return none;
}
inline const std::vector<http2::HeaderField>& request_fields() {
  static const std::vector<http2::HeaderField> fields = {{":method", "POST"},
                                                         {":scheme", "http"},
                                                         {":path", "/test.Service/Method"},
                                                         {":authority", "localhost"}};
  return fields;
}
inline const std::vector<http2::HeaderField>& response_fields() {
  static const std::vector<http2::HeaderField> fields = {{":status", "200"}};
  return fields;
}

/// All output of a session, taken out of it.
inline std::string take_output(http2::Session& session) {
  std::string bytes;
  std::array<iovec, 16> pieces{};
  while (session.has_output()) {
    std::size_t size = 0;
    for (const iovec& piece : std::span(pieces).first(session.output(pieces))) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      size += piece.iov_len;
    }
    session.output_sent(size, detail::SteadyClock::now());
  }
  return bytes;
}

using EventHandler = std::function<void(const http2::Event& event)>;

inline void drain_events(http2::Session& session, const EventHandler& on_event) {
  for (http2::Event event = session.next_event(); !http2::is_none(event);
       event = session.next_event()) {
    on_event(event);
  }
}

/// Both ends of a connection without a transport.
class SessionPair {
 public:
  explicit SessionPair(const http2::SessionOptions& server_options = http2::SessionOptions())
      : client(http2::Role::client, http2::SessionOptions(), detail::SteadyClock::now()),
        server(http2::Role::server, server_options, detail::SteadyClock::now()) {}

  /// Moves what either side has to say until both are silent.
  void exchange() {
    while (client.has_output() || server.has_output()) {
      deliver(client, server);
      deliver(server, client);
    }
  }
  http2::Stream& open() {
    return client.open_stream(no_stable_fields(), request_fields(), /*end_stream=*/false, nullptr);
  }
  void send(http2::Stream& stream, std::string_view bytes, bool end_stream = false) {
    client.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(bytes)), end_stream);
    exchange();
  }

  EventHandler on_server_event = [](const http2::Event&) {};
  EventHandler on_client_event = [](const http2::Event&) {};
  http2::Session client;
  http2::Session server;

 private:
  void deliver(http2::Session& from, http2::Session& to) {
    const std::string bytes = take_output(from);
    drain_events(from, handler_of(from));  // what became writable
    if (!bytes.empty()) to.receive(detail::as_bytes(bytes), detail::SteadyClock::now());
    drain_events(to, handler_of(to));
  }
  const EventHandler& handler_of(const http2::Session& session) const {
    return &session == &client ? on_client_event : on_server_event;
  }
};

}  // namespace nearcall::test
