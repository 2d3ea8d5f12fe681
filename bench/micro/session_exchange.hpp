// SPDX-License-Identifier: Apache-2.0
// SessionExchange: unary exchanges of two of our sessions in memory, as a gRPC call makes them.
#pragma once

#include "base/check.hpp"
#include "http2/session.hpp"

#include <array>
#include <chrono>
#include <cstring>
#include <string>

namespace nearcall::bench {

namespace http2 = detail::http2;

/// Client and server as a server with one caller has them: each side's output is the other's input.
class SessionExchange {
 public:
  explicit SessionExchange(std::size_t size) : message_(size, 'x') { run(); }

  /// One request, one echo, trailers; both streams are gone afterwards.
  void run() {
    http2::Stream& stream = client_.open_stream(request_, {}, /*end_stream=*/false, this);
    send(client_, stream, /*end_stream=*/true);
    bool has_moved = true;
    while (has_moved) {
      has_moved = carry(client_, server_);
      has_moved = carry(server_, client_) || has_moved;
    }
    CHECK(client_.stream_count() == 0 && server_.stream_count() == 0);
  }

 private:
  void send(http2::Session& session, http2::Stream& stream, bool end_stream) {
    const detail::MutableByteSpan room = session.reserve_data(stream, message_.size());
    if (!room.empty()) {
      std::memcpy(room.data(), message_.data(), message_.size());
      session.commit_data(stream, message_.size(), end_stream);
    } else {
      session.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(message_)),
                        end_stream);
    }
  }
  void serve(const http2::Event& event) {
    const auto* const data = std::get_if<http2::DataEvent>(&event);
    if (data == nullptr) return;
    server_.consumed(*data->stream, data->bytes.size());
    if (!data->end_stream) return;
    server_.send_headers(*data->stream, response_, {}, /*end_stream=*/false);
    send(server_, *data->stream, /*end_stream=*/false);
    server_.send_headers(*data->stream, trailers_, {}, /*end_stream=*/true);
    server_.release(*data->stream);
  }
  void take(const http2::Event& event) {
    if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      client_.consumed(*data->stream, data->bytes.size());
    }
    if (http2::ends_stream(event)) client_.release(*http2::stream_of(event));
  }
  bool carry(http2::Session& from, http2::Session& to) {
    if (!from.has_output()) return false;
    std::array<iovec, 8> pieces;
    const std::size_t count = from.output(pieces);
    std::size_t size = 0;
    for (const iovec& piece : std::span(pieces).first(count)) {
      to.receive({static_cast<const std::byte*>(piece.iov_base), piece.iov_len}, now_);
      size += piece.iov_len;
      for (http2::Event event = to.next_event(); !http2::is_none(event); event = to.next_event()) {
        &to == &server_ ? serve(event) : take(event);
      }
    }
    from.output_sent(size, now_);
    return size > 0;
  }

  const http2::HeaderTemplate request_{
      {":method", "POST"},           {":scheme", "http"}, {":path", "/greet.Greeter/SayHello"},
      {":authority", "localhost"},   {"te", "trailers"},  {"content-type", "application/grpc"},
      {"user-agent", "nearcall/0.1"}};
  const http2::HeaderTemplate response_{{":status", "200"}, {"content-type", "application/grpc"}};
  const http2::HeaderTemplate trailers_{{"grpc-status", "0"}};
  const detail::TimePoint now_{std::chrono::hours(1)};
  const std::string message_;
  http2::Session client_{http2::Role::client, {}, now_};
  http2::Session server_{http2::Role::server, {}, now_};
};

}  // namespace nearcall::bench
