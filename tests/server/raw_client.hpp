// SPDX-License-Identifier: Apache-2.0
// RawClient: a peer of a server that sends what the test says, byte by byte or frame by frame.
#pragma once

#include "base/unique_fd.hpp"
#include "http2/session.hpp"
#include "support/io.hpp"
#include "transport/socket_address.hpp"
#include "transport/socket_transport.hpp"

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// A socket connected to a server, as a Transport.
inline std::unique_ptr<Transport> connect_raw(const std::string& path) {
  detail::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  EXPECT_EQ(::connect(socket.get(), address.get(), address.size()), 0) << path;
  return std::make_unique<detail::SocketTransport>(std::move(socket), PeerIdentity("unix:" + path));
}

/// How the server answered one request.
struct RawAnswer {
  std::map<std::string, std::string> fields;  // of headers and trailers
  std::string body;
  bool was_reset = false;
  http2::ErrorCode code{};
};

/// An HTTP/2 client that puts no sense into what it sends.
class RawClient {
 public:
  using Fields = std::vector<http2::HeaderField>;

  explicit RawClient(const std::string& path)
      : connection_(connect_raw(path)),
        session_(http2::Role::client, http2::SessionOptions(), detail::SteadyClock::now()) {}

  /// What a client of gRPC would send.
  static Fields request_to(std::string_view path) {
    return {{":method", "POST"},        {":scheme", "http"}, {":path", path},
            {":authority", "raw.test"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  }

  http2::Stream& open(const Fields& fields, bool end_stream = false) {
    const http2::HeaderTemplate none(std::span<const http2::HeaderField>{});
    http2::Stream& stream = session_.open_stream(none, fields, end_stream, nullptr);
    EXPECT_TRUE(flush());
    return stream;
  }
  void send(http2::Stream& stream, std::string_view bytes, bool end_stream) {
    session_.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(bytes)), end_stream);
    EXPECT_TRUE(flush());
  }
  void reset(http2::Stream& stream) {
    session_.reset_stream(stream, http2::ErrorCode::cancel);
    EXPECT_TRUE(flush());
  }
  /// Reads until the stream is over; nothing if the connection ends before.
  std::optional<RawAnswer> answer_to(http2::Stream& stream) {
    RawAnswer answer;
    while (!is_over_[&stream]) {
      if (!read_some(&stream, &answer)) return std::nullopt;
    }
    is_over_.erase(&stream);
    session_.release(stream);
    return answer;
  }
  /// Opens, sends the body in one piece with the end, and reads the answer.
  std::optional<RawAnswer> call(const Fields& fields, std::string_view body) {
    http2::Stream& stream = open(fields);
    send(stream, body, /*end_stream=*/true);
    return answer_to(stream);
  }
  /// Reads until the server says GOAWAY; nothing if it ends without.
  std::optional<http2::ErrorCode> read_goaway() {
    while (!goaway_ && read_some(nullptr, nullptr)) {
    }
    return goaway_;
  }
  /// Reads until the server closes; whether it said GOAWAY first, and with which code.
  std::optional<http2::ErrorCode> read_to_the_end() {
    while (read_some(nullptr, nullptr)) {
    }
    return goaway_;
  }

 private:
  bool flush() {
    std::array<iovec, 16> pieces{};
    while (session_.has_output()) {
      const std::size_t count = session_.output(pieces);
      const IoResult sent = connection_->try_write(std::span(pieces).first(count));
      if (sent.kind() == IoResult::Kind::bytes) {
        session_.output_sent(sent.count(), detail::SteadyClock::now());
      } else if (sent.kind() != IoResult::Kind::would_block ||
                 !park(*connection_, Interest::write)) {
        return false;
      }
    }
    return true;
  }
  bool read_some(const http2::Stream* stream, RawAnswer* answer) {
    const IoResult read = connection_->try_read(buffer_);
    if (read.kind() == IoResult::Kind::would_block) return park(*connection_, Interest::read);
    if (read.kind() != IoResult::Kind::bytes) return false;
    session_.receive(std::span(buffer_).first(read.count()), detail::SteadyClock::now());
    for (http2::Event event = session_.next_event(); !http2::is_none(event);
         event = session_.next_event()) {
      take(event, http2::stream_of(event) == stream ? answer : nullptr);
    }
    flush();
    return true;
  }
  void take(const http2::Event& event, RawAnswer* answer) {
    const auto* const headers = std::get_if<http2::HeadersEvent>(&event);
    const auto* const data = std::get_if<http2::DataEvent>(&event);
    const auto* const reset = std::get_if<http2::ResetEvent>(&event);
    if (const auto* const goaway = std::get_if<http2::GoawayEvent>(&event)) goaway_ = goaway->code;
    if (http2::ends_stream(event) || reset != nullptr) is_over_[http2::stream_of(event)] = true;
    if (data != nullptr) session_.consumed(*data->stream, data->bytes.size());
    if (answer == nullptr) return;
    if (headers != nullptr) {
      for (const detail::HeaderView& field : *headers->list)
        answer->fields[std::string(field.name)] = field.value;
    }
    if (data != nullptr) answer->body += detail::as_text(data->bytes);
    if (reset != nullptr) {
      answer->was_reset = true;
      answer->code = reset->code;
    }
  }

  std::unique_ptr<Transport> connection_;
  http2::Session session_;
  std::array<std::byte, 16'384> buffer_{};
  std::map<const http2::Stream*, bool> is_over_;
  std::optional<http2::ErrorCode> goaway_;
};

/// A message with its prefix, as it goes into a DATA frame.
inline std::string framed(const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  std::string framed(5, '\0');
  detail::store_be32(reinterpret_cast<std::byte*>(framed.data()) + 1,
                     static_cast<std::uint32_t>(bytes.size()));
  return framed + bytes;
}

}  // namespace nearcall::test
