// SPDX-License-Identifier: Apache-2.0
// SessionExerciser: feeds any bytes to a session whose owner does anything that it may, and checks
// what must hold whatever they are. For the robustness tests and the fuzz targets.
#pragma once

#include "base/check.hpp"
#include "http2/session.hpp"
#include "support/frames.hpp"
#include "support/session_pair.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

class SessionExerciser {
 public:
  /// Limits that a few hundred bytes can reach.
  static http2::SessionOptions options() {
    http2::SessionOptions options;
    options.initial_window_size = 1000;
    options.max_frame_size = 16'384;
    ConnectionLimits& limits = *options.limits;
    limits.max_concurrent_streams = 6;
    limits.max_resets_outstanding = 5;
    limits.max_refusals = 8;
    limits.max_induced_frames_ever = 30;
    limits.max_header_list_size = 600;
    limits.max_header_fields = 12;
    limits.max_header_block_size = 2000;
    limits.max_unknown_payload = 50;
    limits.max_overhead_frames = 30;
    limits.max_empty_data = 10;
    limits.max_buffered_input = 70'000;
    limits.max_buffered_output_stream = 3000;
    limits.max_buffered_output = 5000;
    // A good conversation has many PINGs here, and an owner who may serve nothing in between.
    limits.min_ping_interval = limits.min_ping_interval_without_calls =
        std::chrono::nanoseconds::zero();
    return options;
  }

  /// `seed` decides how the bytes are cut and what the owner does.
  SessionExerciser(http2::Role role, std::uint32_t seed)
      : role_(role), random_(seed), session_(role, options(), now_) {}

  /// Afterwards a client has requests on the streams 1 to 15.
  void shake_hands() {
    may_shut_down_ = false;
    feed((role_ == http2::Role::server ? frames::preface() : std::string()) + frames::settings() +
         frames::settings_ack());
    for (int i = 0; i < 8 && role_ == http2::Role::client; ++i) {
      open();
    }
    may_shut_down_ = true;
  }
  /// All of the peer's bytes, cut anywhere; does nothing once the connection has ended.
  void feed(std::string_view bytes) {
    while (!bytes.empty() && !session_.is_broken()) {
      const http2::Session::DirectRead direct = session_.direct_read();
      if (direct.bytes > 0 && chance(2)) {
        const std::size_t size = std::min(pick(1, direct.bytes), bytes.size());
        bytes.remove_prefix(size);
        on_event(session_.direct_received(size, now_));
      } else {
        // Memory of its own, so that a sanitizer sees what is read beyond it or too late.
        const std::size_t size = std::min(chance(3) ? pick(1, 12) : pick(1, 3000), bytes.size());
        const auto piece = std::make_unique<std::byte[]>(size);
        std::ranges::copy(detail::as_bytes(bytes.substr(0, size)), piece.get());
        bytes.remove_prefix(size);
        session_.receive({piece.get(), size}, now_);
        take_events();
      }
      act();
      send();
      check();
    }
  }
  /// Time passes and everybody lets go: nothing may be left behind.
  void finish() {
    now_ += std::chrono::seconds(1);
    session_.on_time(now_);
    take_events();
    while (!streams_.empty()) {
      release(streams_.size() - 1);
    }
    session_.send_goaway(http2::ErrorCode::no_error, "");
    take_events();
    drain();
    check();
    CHECK(session_.stats().buffered_input == 0, session_.stats().buffered_input);
    session_.trim();
  }

  http2::Session& session() noexcept { return session_; }
  /// Why the connection ended.
  std::string_view failure() const noexcept { return failure_; }
  /// How many events of streams there were.
  std::size_t stream_events() const noexcept { return stream_events_; }

 private:
  struct Owned {
    http2::Stream* stream;
    bool has_head = false;
    bool has_ended = false;
  };

  std::size_t pick(std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random_);
  }
  bool chance(std::size_t one_in) { return pick(1, one_in) == 1; }

  void take_events() {
    for (http2::Event event = session_.next_event(); !http2::is_none(event);
         event = session_.next_event()) {
      on_event(event);
    }
  }
  void on_event(const http2::Event& event) {
    CHECK(!has_failed_);  // nothing comes after connection_error
    if (const auto* const error = std::get_if<http2::ConnectionErrorEvent>(&event)) {
      CHECK(session_.is_broken() && !error->what.empty());
      has_failed_ = true;
      failure_ = error->what;
      return;
    }
    http2::Stream* const stream = http2::stream_of(event);
    if (stream == nullptr) return;
    const auto* const headers = std::get_if<http2::HeadersEvent>(&event);
    const std::size_t at = find(*stream);
    if (at == streams_.size()) {
      CHECK(role_ == http2::Role::server && headers != nullptr &&
            headers->part == http2::HeadersEvent::Part::head);
      stream->set_context(this);
      streams_.push_back({stream});
    }
    ++stream_events_;
    for (std::size_t i = 0; headers != nullptr && i < headers->list->size(); ++i) {
      seen_ += (*headers->list)[i].name.size() + (*headers->list)[i].value.size();
    }
    if (headers != nullptr && chance(2)) look_behind(*stream);
    const auto* const data = std::get_if<http2::DataEvent>(&event);
    for (const std::byte byte : data != nullptr ? data->bytes : detail::ByteSpan()) {
      seen_ += std::to_integer<std::size_t>(byte);
    }
    if (std::holds_alternative<http2::ResetEvent>(event) && chance(2)) release(at);
  }
  void look_behind(http2::Stream& stream) {
    const http2::DataEvent data = session_.data_behind(stream);
    if (data.stream == nullptr) return;
    CHECK(data.stream == &stream);
    on_event(data);
  }
  std::size_t find(const http2::Stream& stream) const {
    const auto found = std::ranges::find(streams_, &stream, &Owned::stream);
    return static_cast<std::size_t>(found - streams_.begin());
  }

  void open() {
    if (session_.open_state() != http2::Session::OpenState::ready) return;
    if (chance(3)) {
      const std::string message(pick(0, 4000), 'x');
      http2::Stream* const whole =
          session_.open_whole(request_head(), detail::as_bytes(message), this);
      if (whole != nullptr) return streams_.push_back({whole, true, true});
    }
    const bool end_stream = chance(2);
    http2::Stream& stream = session_.open_stream(request_head(), {}, end_stream, this);
    streams_.push_back({&stream, true, end_stream});
  }
  /// Some commands of the owner's.
  void act() {
    if (role_ == http2::Role::client && chance(4) && streams_.size() < 20) open();
    if (chance(50)) session_.send_ping(7);
    if (chance(200) && may_shut_down_) session_.announce_shutdown();
    if (streams_.empty()) return;
    for (std::size_t i = pick(0, 3); i > 0 && !streams_.empty(); --i) {
      command(pick(0, streams_.size() - 1));
    }
  }
  void command(std::size_t at) {
    Owned& owned = streams_[at];
    http2::Stream& stream = *owned.stream;
    switch (pick(0, 9)) {
      case 0:
      case 1:
        session_.consumed(stream, pick(0, 2000));
        break;
      case 2:
        session_.needs(stream, pick(0, 100'000));
        break;
      case 3:
        session_.message_completed(stream);
        break;
      case 4:
        if (owned.has_head) break;
        if (chance(2) && answer_whole(owned)) break;
        owned.has_head = true;
        session_.send_headers(stream, response_head(), {}, /*end_stream=*/false);
        break;
      case 5:
      case 6:
        send_body(owned);
        break;
      case 7:
        if (owned.has_ended || role_ == http2::Role::client) break;
        owned.has_head = owned.has_ended = true;
        session_.send_headers(stream, ok_trailers(), {}, /*end_stream=*/true);
        break;
      case 8:
        if (chance(3)) session_.reset_stream(stream, http2::ErrorCode::cancel);
        break;
      default:
        if (chance(2)) release(at);
    }
  }
  bool answer_whole(Owned& owned) {
    const detail::MutableByteSpan room =
        session_.reserve_whole(*owned.stream, response_head(), pick(0, 4000), ok_trailers());
    std::ranges::fill(room, std::byte{'x'});
    if (room.empty() || chance(3)) return false;
    session_.commit_whole(*owned.stream);
    owned.has_head = owned.has_ended = true;
    return true;
  }
  void send_body(Owned& owned) {
    if (!owned.has_head || owned.has_ended || !session_.is_writable(*owned.stream, 1)) return;
    owned.has_ended = chance(3);
    const std::size_t size = pick(0, 4000);
    if (const detail::MutableByteSpan room = session_.reserve_data(*owned.stream, size);
        !room.empty()) {
      std::ranges::fill(room, std::byte{'x'});
      return session_.commit_data(*owned.stream, size, owned.has_ended);
    }
    session_.send_data(*owned.stream, detail::OwnedBytes(size), owned.has_ended);
  }
  void release(std::size_t at) {
    http2::Stream& stream = *streams_[at].stream;
    streams_.erase(streams_.begin() + static_cast<std::ptrdiff_t>(at));
    session_.release(stream);
  }

  void send() {
    if (!session_.has_output() || chance(3)) return;
    std::array<iovec, 3> pieces;
    std::size_t size = 0;
    for (const iovec& piece : std::span(pieces).first(session_.output(pieces))) {
      size += piece.iov_len;
    }
    session_.output_sent(pick(0, size), now_);
    take_events();
  }
  void drain() {
    while (session_.has_output()) {
      std::array<iovec, 16> pieces;
      std::size_t size = 0;
      for (const iovec& piece : std::span(pieces).first(session_.output(pieces))) {
        size += piece.iov_len;
      }
      CHECK(size > 0);
      session_.output_sent(size, now_);
      take_events();
    }
  }
  void check() {
    const http2::SessionStats stats = session_.stats();
    const ConnectionLimits limits = *options().limits;
    CHECK(has_failed_ == session_.is_broken());
    CHECK(role_ == http2::Role::client || session_.stream_count() <= limits.max_concurrent_streams);
    CHECK(streams_.size() <= session_.stream_count());
    CHECK(stats.buffered_input <= limits.max_buffered_input + 100'000, stats.buffered_input);
    CHECK(stats.overhead_frames <= limits.max_overhead_frames + 1);
    // What the owner queued when it was told that it may, and what the peer induced.
    CHECK(stats.buffered_output < 200'000, stats.buffered_output);
    CHECK(seen_ < std::size_t{1} << 40U);  // so that all that was shown was read
    CHECK(!has_failed_ || http2::is_none(session_.next_event()));
  }

  http2::Role role_;
  std::mt19937 random_;
  detail::TimePoint now_{std::chrono::hours(1)};
  http2::Session session_;
  std::vector<Owned> streams_;
  bool may_shut_down_ = true;
  bool has_failed_ = false;
  std::string_view failure_;
  std::size_t stream_events_ = 0;
  std::size_t seen_ = 0;
};

}  // namespace nearcall::test
