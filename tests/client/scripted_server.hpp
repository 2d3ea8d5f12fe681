// SPDX-License-Identifier: Apache-2.0
// ScriptedServer: a server that does on each connection what the test says, good or bad.
#pragma once

#include "http2/session.hpp"
#include "support/io.hpp"
#include "transport/socket_transport.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client.hpp>

#include <google/protobuf/wrappers.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

using google::protobuf::StringValue;

inline StringValue text(std::string value) {
  StringValue message;
  message.set_value(std::move(value));
  return message;
}

inline constexpr Method test_methods[] = {{"/test.Script/Unary", MethodKind::unary},
                                          {"/test.Script/Serve", MethodKind::server_streaming},
                                          {"/test.Script/Collect", MethodKind::client_streaming},
                                          {"/test.Script/Chat", MethodKind::bidi_streaming}};
inline constexpr std::size_t unary_method = 0;
inline constexpr std::size_t serve_method = 1;
inline constexpr std::size_t collect_method = 2;
inline constexpr std::size_t chat_method = 3;

/// The server's end of one connection, driven by the test through a session in the server's role.
/// Thread safety: none.
class ScriptedPeer {
 public:
  using Fields = std::initializer_list<http2::HeaderField>;

  explicit ScriptedPeer(std::unique_ptr<Transport> transport,
                        const http2::SessionOptions& options = http2::SessionOptions())
      : transport_(std::move(transport)),
        session_(http2::Role::server, options, detail::SteadyClock::now()) {}
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;
  /// What was said before still goes out.
  ~ScriptedPeer() { flush(); }

  http2::Session& session() noexcept { return session_; }

  /// The next call, as soon as its headers are here; null if the client left first.
  http2::Stream* next_headers() {
    const std::size_t seen = begun_.size();
    wait([&] { return begun_.size() > seen; });
    return begun_.size() > seen ? begun_.back() : nullptr;
  }
  /// The next call, with all of its request.
  http2::Stream* next_call() {
    http2::Stream* const stream = next_headers();
    if (stream == nullptr) return nullptr;
    const http2::StreamId id = stream->id();
    wait([&] { return has_ended_[id] || reset_.contains(id); });
    return stream;
  }
  /// A request header of the newest call.
  std::string header(std::string_view name) const {
    const auto found = last_head_.find(name);
    return found == last_head_.end() ? "" : found->second;
  }
  /// Bytes of the request's body, prefix included.
  std::size_t body_size(const http2::Stream& stream) { return body_size_[stream.id()]; }
  /// Waits until the client resets the stream: with which code.
  std::optional<http2::ErrorCode> wait_for_reset(const http2::Stream& stream) {
    const http2::StreamId id = stream.id();
    wait([&] { return reset_.contains(id); });
    return reset_.contains(id) ? std::optional(reset_[id]) : std::nullopt;
  }
  /// Waits until the client has gone; false after ten seconds without a word from it.
  bool wait_for_end() {
    wait([] { return false; });
    return has_ended_here_;
  }
  /// The same without a word from our side.
  void wait_for_end_silently() {
    for (;;) {
      const IoResult result = transport_->try_read(buffer_);
      if (result.kind() == IoResult::Kind::bytes) continue;
      if (result.kind() != IoResult::Kind::would_block || !park(*transport_, Interest::read)) {
        return;
      }
    }
  }
  /// Takes what has come and sends what there is, without waiting.
  void turn() {
    for (;;) {
      for (http2::Event event = session_.next_event(); !http2::is_none(event);
           event = session_.next_event())
        take(event);
      flush();
      const IoResult result = transport_->try_read(buffer_);
      if (result.kind() != IoResult::Kind::bytes) {
        has_ended_here_ = result.kind() != IoResult::Kind::would_block;
        return;
      }
      session_.receive(std::span(buffer_).first(result.count()), detail::SteadyClock::now());
    }
  }
  /// The newest call, after a turn().
  http2::Stream* newest() const { return begun_.empty() ? nullptr : begun_.back(); }
  std::optional<http2::ErrorCode> reset_of(const http2::Stream& stream) {
    const auto found = reset_.find(stream.id());
    return found == reset_.end() ? std::nullopt : std::optional(found->second);
  }
  /// The client has ended its requests on the stream.
  bool has_all_of(const http2::Stream& stream) { return has_ended_[stream.id()]; }
  bool has_ended() const noexcept { return has_ended_here_; }
  /// The client's GOAWAY came.
  bool has_goaway() const noexcept { return has_goaway_; }
  int ping_acks() const noexcept { return ping_acks_; }

  void headers(http2::Stream& stream, Fields fields, bool end_stream = false) {
    session_.send_headers(stream, http2::HeaderTemplate(fields), {}, end_stream);
  }
  void begin(http2::Stream& stream) {
    headers(stream, {{":status", "200"}, {"content-type", "application/grpc"}});
  }
  void message(http2::Stream& stream, const std::string& value) {
    const std::string body = text(value).SerializeAsString();
    bytes(stream, std::string(4, '\0') + static_cast<char>(body.size()) + body);
  }
  void bytes(http2::Stream& stream, std::string_view data, bool end_stream = false) {
    session_.send_data(stream, detail::OwnedBytes::copy_of(detail::as_bytes(data)), end_stream);
  }
  void end(http2::Stream& stream, std::string_view status = "0") {
    headers(stream, {{"grpc-status", status}}, /*end_stream=*/true);
    session_.release(stream);
  }
  /// A whole good answer.
  void answer(http2::Stream& stream, const std::string& value) {
    begin(stream);
    message(stream, value);
    end(stream);
    flush();
  }
  void reset(http2::Stream& stream, http2::ErrorCode code) {
    session_.reset_stream(stream, code);
    session_.release(stream);
    flush();
  }
  /// Answers all calls until the client goes.
  bool answer_all(const std::string& value) {
    while (http2::Stream* const stream = next_call())
      answer(*stream, value);
    return has_ended_here_;
  }

  void flush() {
    std::array<iovec, 16> pieces{};
    while (session_.has_output()) {
      const std::size_t count = session_.output(pieces);
      const IoResult result = transport_->try_write(std::span(pieces).first(count));
      if (result.kind() == IoResult::Kind::bytes) {
        session_.output_sent(result.count(), detail::SteadyClock::now());
      } else if (result.kind() != IoResult::Kind::would_block ||
                 !park(*transport_, Interest::write)) {
        return;
      }
    }
  }

 private:
  template <class Done>
  void wait(const Done& is_done) {
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
        has_ended_here_ = true;
        return;
      } else if (!park(*transport_, Interest::read)) {
        return;
      }
    }
  }
  void take(const http2::Event& event) {
    if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
      begun_.push_back(headers->stream);
      last_head_.clear();
      for (const detail::HeaderView& field : *headers->list)
        last_head_.emplace(field.name, field.value);
      has_ended_[headers->stream->id()] = headers->end_stream;
    } else if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
      body_size_[data->stream->id()] += data->bytes.size();
      session_.consumed(*data->stream, data->bytes.size());
      if (data->end_stream) has_ended_[data->stream->id()] = true;
    } else if (const auto* const reset = std::get_if<http2::ResetEvent>(&event)) {
      reset_[reset->stream->id()] = reset->code;
    } else if (const auto* const error = std::get_if<http2::ConnectionErrorEvent>(&event)) {
      ADD_FAILURE() << "the client broke HTTP/2: " << error->what;
    }
    if (std::holds_alternative<http2::PingAckEvent>(event)) ++ping_acks_;
    if (std::holds_alternative<http2::GoawayEvent>(event)) has_goaway_ = true;
  }

  std::unique_ptr<Transport> transport_;
  http2::Session session_;
  std::array<std::byte, 16384> buffer_{};
  std::vector<http2::Stream*> begun_;
  std::map<std::string, std::string, std::less<>> last_head_;
  std::map<http2::StreamId, bool> has_ended_;
  std::map<http2::StreamId, std::size_t> body_size_;
  std::map<http2::StreamId, http2::ErrorCode> reset_;
  bool has_goaway_ = false;
  int ping_acks_ = 0;
  bool has_ended_here_ = false;
};

/// Runs one script for each connection that a channel makes, on a thread of its own; the last
/// script goes for all later connections too. Make it before the channel: it waits for its scripts.
class ScriptedServer {
 public:
  using Script = std::function<void(ScriptedPeer&)>;

  explicit ScriptedServer(std::vector<Script> scripts,
                          const http2::SessionOptions& options = http2::SessionOptions())
      : scripts_(std::move(scripts)), session_options_(options) {}

  /// Options of a channel that leads here.
  ChannelOptions options() {
    return ChannelOptions().connector([this](const ConnectContext&) { return connect(*this); });
  }
  std::size_t connection_count() const {
    const std::lock_guard lock(mutex_);
    return threads_.size();
  }
  /// Waits until all scripts so far have ended, and closed their connections.
  void join() {
    const std::lock_guard lock(mutex_);
    for (std::jthread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  std::unique_ptr<Transport> accept() {
    Result<detail::SocketPair> pair = detail::make_socketpair();
    EXPECT_TRUE(pair.ok());
    const std::lock_guard lock(mutex_);
    const Script& script = scripts_[std::min(threads_.size(), scripts_.size() - 1)];
    threads_.emplace_back([this, script, end = std::move(pair->second)]() mutable {
      ScriptedPeer peer(std::move(end), session_options_);
      script(peer);
    });
    return std::move(pair->first);
  }

 private:
  static Task<Result<std::unique_ptr<Transport>>> connect(ScriptedServer& server) {
    co_return server.accept();
  }

  const std::vector<Script> scripts_;
  const http2::SessionOptions session_options_;
  mutable std::mutex mutex_;
  std::vector<std::jthread> threads_;
};

inline http2::SessionOptions one_stream_at_a_time() {
  http2::SessionOptions options;
  options.limits.max_concurrent_streams = 1;
  return options;
}

/// CallOptions of tests: a call that hangs fails the test in the end.
inline CallOptions patient() {
  return CallOptions().timeout(std::chrono::seconds(20));
}

inline Result<StringValue> call_unary(const ClientStub& stub,
                                      const CallOptions& options = patient()) {
  return stub.unary<StringValue>(unary_method, text("request"), options);
}

}  // namespace nearcall::test
