// SPDX-License-Identifier: Apache-2.0
// SessionPeer: one end of a connection that keeps the rules of HTTP/2, and else does what the test
// says.
#pragma once

#include "http2/session.hpp"
#include "support/heard.hpp"

#include <nearcall/transport.hpp>

#include <google/protobuf/message_lite.h>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// A session of our own, client or server, over any transport. What it waits for is waited for by
/// its thread, ten seconds at most without a byte. Thread safety: none.
class SessionPeer {
 public:
  using Fields = std::vector<http2::HeaderField>;

  /// A client, connected to a server's socket file.
  explicit SessionPeer(const std::string& path);
  SessionPeer(http2::Role role,
              std::unique_ptr<Transport> transport,
              const http2::SessionOptions& options = http2::SessionOptions());
  SessionPeer(const SessionPeer&) = delete;
  SessionPeer& operator=(const SessionPeer&) = delete;
  /// What was said before still goes out.
  ~SessionPeer() { flush(); }

  http2::Session& session() noexcept { return session_; }
  /// What came on it up to now.
  const HeardStream& heard(const http2::Stream& stream) { return heard_[stream.id()]; }

  // ---- both roles ----

  /// Sends what there is; false if the other side has gone.
  bool flush();
  /// Takes what has come and sends what there is, without waiting.
  void turn();
  void bytes(http2::Stream& stream, std::string_view data, bool end_stream = false) {
    session_.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(data)), end_stream);
  }
  void message(http2::Stream& stream, const google::protobuf::MessageLite& message);
  /// A StringValue.
  void message(http2::Stream& stream, const std::string& value);
  void reset(http2::Stream& stream, http2::ErrorCode code = http2::ErrorCode::cancel);
  /// Waits until the other side has taken all that was said.
  bool ping();
  /// Waits until the other side resets the stream: with which code.
  std::optional<http2::ErrorCode> wait_for_reset(const http2::Stream& stream);
  /// Waits until the other side has gone; false after ten seconds without a word from it.
  bool wait_for_end() {
    wait([] { return false; });
    return has_ended_;
  }
  /// The same without a word from our side.
  void wait_for_end_silently();
  /// Waits for GOAWAY; nothing if the other side ends without.
  std::optional<http2::ErrorCode> read_goaway() {
    wait([this] { return goaway_.has_value(); });
    return goaway_;
  }
  /// Waits until the other side has gone; whether it said GOAWAY first, and with which code.
  std::optional<http2::ErrorCode> read_to_the_end() {
    wait_for_end();
    return goaway_;
  }
  bool has_ended() const noexcept { return has_ended_; }
  bool has_goaway() const noexcept { return goaway_.has_value(); }
  int ping_acks() const noexcept { return ping_acks_; }

  // ---- a client ----

  /// What a client of gRPC would send.
  static Fields request_to(std::string_view path);
  http2::Stream& open(const Fields& fields, bool end_stream = false);
  void send(http2::Stream& stream, std::string_view data, bool end_stream);
  /// Waits until the stream is over; nothing if the connection ends before.
  std::optional<HeardStream> answer_to(http2::Stream& stream);
  /// Opens, sends the body in one piece with the end, and waits for the answer.
  std::optional<HeardStream> call(const Fields& fields, std::string_view body);

  // ---- a server ----

  /// The next call, as soon as its headers are here; null if the client left first.
  http2::Stream* next_headers();
  /// The next call, with all of its request.
  http2::Stream* next_call();
  /// Says GOAWAY that takes none of the calls, not those either which are here.
  void take_none(std::string_view debug);
  /// The newest call, after a turn().
  http2::Stream* newest() const { return begun_.empty() ? nullptr : begun_.back(); }
  /// A request header of the newest call.
  std::string header(std::string_view name) const { return newest_head_.field(name); }

  void headers(http2::Stream& stream, const Fields& fields, bool end_stream = false) {
    session_.send_headers(stream, http2::HeaderTemplate(std::span(fields)), {}, end_stream);
  }
  void begin(http2::Stream& stream) {
    headers(stream, {{":status", "200"}, {"content-type", "application/grpc"}});
  }
  void end(http2::Stream& stream, std::string_view status = "0");
  /// A whole good answer.
  void answer(http2::Stream& stream, const std::string& value);
  /// Answers all calls until the client goes.
  bool answer_all(const std::string& value);

 private:
  /// Whether it is done; false once the other side has gone.
  bool wait(const std::function<bool()>& is_done);
  void take(const http2::Event& event);

  std::unique_ptr<Transport> transport_;
  http2::Session session_;
  std::array<std::byte, 16384> buffer_{};
  std::vector<http2::Stream*> begun_;
  std::map<http2::StreamId, HeardStream> heard_;
  HeardStream newest_head_;
  std::optional<http2::ErrorCode> goaway_;
  int ping_acks_ = 0;
  bool has_ended_ = false;
};

}  // namespace nearcall::test
