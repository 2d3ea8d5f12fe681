// SPDX-License-Identifier: Apache-2.0
// SessionPair: a client's and a server's session, joined by memory; and how to use one by hand.
#pragma once

#include "base/clock.hpp"
#include "http2/session.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

inline const http2::HeaderTemplate& request_head() {
  static const http2::HeaderTemplate fields{
      {":method", "POST"},           {":scheme", "http"}, {":path", "/greet.Greeter/SayHello"},
      {":authority", "localhost"},   {"te", "trailers"},  {"content-type", "application/grpc"},
      {"user-agent", "nearcall/0.1"}};
  return fields;
}
inline const http2::HeaderTemplate& response_head() {
  static const http2::HeaderTemplate fields{{":status", "200"},
                                            {"content-type", "application/grpc"}};
  return fields;
}
inline const http2::HeaderTemplate& ok_trailers() {
  static const http2::HeaderTemplate fields{{"grpc-status", "0"}};
  return fields;
}

inline void send_text(http2::Session& session,
                      http2::Stream& stream,
                      std::string_view text,
                      bool end_stream) {
  session.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(text)), end_stream);
}

/// All output of a session, taken out of it.
inline std::string take_output(http2::Session& session,
                               detail::TimePoint now = detail::SteadyClock::now()) {
  std::string bytes;
  std::array<iovec, 8> pieces{};
  while (session.has_output()) {
    const std::size_t count = session.output(pieces);
    if (count == 0) break;
    std::size_t size = 0;
    for (const iovec& piece : std::span(pieces).first(count)) {
      bytes.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      size += piece.iov_len;
    }
    session.output_sent(size, now);
  }
  return bytes;
}

using EventHandler = std::function<void(const http2::Event&)>;

/// Whether there was any.
inline bool drain_events(http2::Session& session, const EventHandler& handler) {
  bool any = false;
  for (http2::Event event = session.next_event(); !http2::is_none(event);
       event = session.next_event()) {
    any = true;
    if (handler) handler(event);
  }
  return any;
}

/// Two sessions whose bytes cross in chunks of at most `chunk` bytes.
struct SessionPair {
  explicit SessionPair(const http2::SessionOptions& client_options = {},
                       const http2::SessionOptions& server_options = {})
      : client(http2::Role::client, client_options, now),
        server(http2::Role::server, server_options, now) {}

  /// Moves bytes and hands out events until nothing is left to do.
  void run() {
    while (step()) {
    }
  }
  /// One chunk each way: whether anything moved.
  bool step() {
    const bool to_server = carry(client, server, on_server);
    const bool to_client = carry(server, client, on_client);
    return to_server || to_client;
  }
  bool carry(http2::Session& from, http2::Session& to, const EventHandler& handler) {
    if (!from.has_output()) return drain_events(to, handler);
    std::array<iovec, 8> pieces;
    const std::size_t count = from.output(pieces);
    std::size_t left = chunk();
    std::size_t moved = 0;
    for (std::size_t i = 0; i < count && left > 0; ++i) {
      const std::size_t size = std::min(left, pieces[i].iov_len);
      const auto* const begin = static_cast<const std::byte*>(pieces[i].iov_base);
      const std::vector<std::byte> copy(begin, begin + size);
      to.receive(copy, now);
      drain_events(to, handler);
      left -= size;
      moved += size;
    }
    from.output_sent(moved, now);
    return moved > 0;
  }
  http2::Stream& open() {
    return client.open_stream(request_head(), {}, /*end_stream=*/false, nullptr);
  }

  detail::TimePoint now{std::chrono::hours(1)};
  http2::Session client;
  http2::Session server;
  EventHandler on_client;
  EventHandler on_server;
  std::function<std::size_t()> chunk = [] { return std::string::npos; };
};

}  // namespace nearcall::test
