// SPDX-License-Identifier: Apache-2.0
// Waiting for what comes, and noting it.
#include "support/session_peer.hpp"

#include "support/frames.hpp"
#include "support/io.hpp"
#include "support/messages.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <variant>

namespace nearcall::test {

namespace http2 = detail::http2;

SessionPeer::SessionPeer(const std::string& path)
    : SessionPeer(http2::Role::client, connect_raw(path)) {
}

SessionPeer::SessionPeer(http2::Role role,
                         std::unique_ptr<Transport> transport,
                         const http2::SessionOptions& options)
    : transport_(std::move(transport)), session_(role, options, detail::SteadyClock::now()) {
}

// ---- both roles ---------------------------------------------------------------------------------

bool SessionPeer::flush() {
  std::array<iovec, 16> pieces{};
  while (session_.has_output()) {
    const std::size_t count = session_.output(pieces);
    const IoResult result = transport_->try_write(std::span(pieces).first(count));
    if (result.kind() == IoResult::Kind::bytes) {
      session_.output_sent(result.count(), detail::SteadyClock::now());
    } else if (result.kind() != IoResult::Kind::would_block ||
               !park(*transport_, Interest::write)) {
      return false;
    }
  }
  return true;
}

void SessionPeer::turn() {
  for (;;) {
    for (http2::Event event = session_.next_event(); !http2::is_none(event);
         event = session_.next_event())
      take(event);
    flush();
    const IoResult result = transport_->try_read(buffer_);
    if (result.kind() != IoResult::Kind::bytes) {
      has_ended_ = result.kind() != IoResult::Kind::would_block;
      return;
    }
    session_.receive(std::span(buffer_).first(result.count()), detail::SteadyClock::now());
  }
}

void SessionPeer::message(http2::Stream& stream, const google::protobuf::MessageLite& message) {
  bytes(stream, framed(message));
}

void SessionPeer::message(http2::Stream& stream, const std::string& value) {
  message(stream, text_of(value));
}

void SessionPeer::reset(http2::Stream& stream, http2::ErrorCode code) {
  session_.reset_stream(stream, code);
  session_.release(stream);
  flush();
}

bool SessionPeer::ping() {
  const int before = ping_acks_;
  session_.send_ping(1);
  return wait([&] { return ping_acks_ > before; });
}

std::optional<http2::ErrorCode> SessionPeer::wait_for_reset(const http2::Stream& stream) {
  const HeardStream& heard = heard_[stream.id()];
  wait([&] { return heard.reset.has_value(); });
  return heard.reset;
}

void SessionPeer::wait_for_end_silently() {
  for (;;) {
    const IoResult result = transport_->try_read(buffer_);
    if (result.kind() == IoResult::Kind::bytes) continue;
    if (result.kind() != IoResult::Kind::would_block || !park(*transport_, Interest::read)) return;
  }
}

bool SessionPeer::wait(const std::function<bool()>& is_done) {
  while (!is_done()) {
    const http2::Event event = session_.next_event();
    if (!http2::is_none(event)) {
      take(event);
      continue;
    }
    flush();
    const IoResult result = transport_->try_read(buffer_);
    if (result.kind() == IoResult::Kind::bytes) {
      session_.receive(std::span(buffer_).first(result.count()), detail::SteadyClock::now());
    } else if (result.kind() != IoResult::Kind::would_block) {
      has_ended_ = true;
      return false;
    } else if (!park(*transport_, Interest::read)) {
      return false;
    }
  }
  return true;
}

void SessionPeer::take(const http2::Event& event) {
  if (http2::Stream* const stream = http2::stream_of(event)) {
    HeardStream& heard = heard_[stream->id()];
    heard.has_ended |= http2::ends_stream(event);
    if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
      for (const detail::HeaderView& field : *headers->list)
        heard.fields[std::string(field.name)] = field.value;
      begun_.push_back(stream);
      newest_head_ = heard;
    } else if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      heard.body += detail::as_text(data->bytes);
      session_.consumed(*stream, data->bytes.size());
    } else if (const auto* const reset = std::get_if<http2::ResetEvent>(&event)) {
      heard.reset = reset->code;
    }
  } else if (const auto* const error = std::get_if<http2::ConnectionErrorEvent>(&event)) {
    ADD_FAILURE() << "the other side broke HTTP/2: " << error->what;
  } else if (const auto* const goaway = std::get_if<http2::GoawayEvent>(&event)) {
    goaway_ = goaway->code;
  } else if (std::holds_alternative<http2::PingAckEvent>(event)) {
    ++ping_acks_;
  }
}

// ---- a client -----------------------------------------------------------------------------------

SessionPeer::Fields SessionPeer::request_to(std::string_view path) {
  return {{":method", "POST"},         {":scheme", "http"}, {":path", path},
          {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
}

http2::Stream& SessionPeer::open(const Fields& fields, bool end_stream) {
  const http2::HeaderTemplate none(std::span<const http2::HeaderField>{});
  http2::Stream& stream = session_.open_stream(none, fields, end_stream, nullptr);
  EXPECT_TRUE(flush());
  return stream;
}

void SessionPeer::send(http2::Stream& stream, std::string_view data, bool end_stream) {
  bytes(stream, data, end_stream);
  EXPECT_TRUE(flush());
}

std::optional<HeardStream> SessionPeer::answer_to(http2::Stream& stream) {
  const HeardStream& heard = heard_[stream.id()];
  if (!wait([&] { return heard.is_over(); })) return std::nullopt;
  session_.release(stream);
  return heard;
}

std::optional<HeardStream> SessionPeer::call(const Fields& fields, std::string_view body) {
  http2::Stream& stream = open(fields);
  send(stream, body, /*end_stream=*/true);
  return answer_to(stream);
}

// ---- a server -----------------------------------------------------------------------------------

http2::Stream* SessionPeer::next_headers() {
  const std::size_t seen = begun_.size();
  wait([&] { return begun_.size() > seen; });
  return begun_.size() > seen ? begun_.back() : nullptr;
}

http2::Stream* SessionPeer::next_call() {
  http2::Stream* const stream = next_headers();
  if (stream == nullptr) return nullptr;
  const HeardStream& heard = heard_[stream->id()];
  wait([&] { return heard.is_over(); });
  return stream;
}

void SessionPeer::take_none(std::string_view debug) {
  flush();
  EXPECT_TRUE(write_all(*transport_, frames::goaway(0, http2::ErrorCode::no_error, debug)));
}

void SessionPeer::end(http2::Stream& stream, std::string_view status) {
  headers(stream, {{"grpc-status", status}}, /*end_stream=*/true);
  session_.release(stream);
}

void SessionPeer::answer(http2::Stream& stream, const std::string& value) {
  begin(stream);
  message(stream, value);
  end(stream);
  flush();
}

bool SessionPeer::answer_all(const std::string& value) {
  while (http2::Stream* const stream = next_call())
    answer(*stream, value);
  return has_ended_;
}

}  // namespace nearcall::test
