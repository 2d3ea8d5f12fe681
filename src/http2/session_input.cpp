// SPDX-License-Identifier: Apache-2.0
// Session: frames in.
#include "base/check.hpp"
#include "http2/session.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

/// What its owner does for a stream that is reset: its handler ends.
constexpr WorkMeter::Units of_reset = 2'000;

Violation connection_violation(ErrorCode code, std::string_view what) noexcept {
  return {Violation::Scope::connection, code, what};
}
Violation stream_violation(ErrorCode code, std::string_view what) noexcept {
  return {Violation::Scope::stream, code, what};
}

}  // namespace

void Session::receive(ByteSpan bytes, TimePoint now) {
  now_ = std::max(now_, now);
  if (!bytes.empty()) progress_at_ = now_;
  reader_.feed(bytes);
}

Event Session::next_event() {
  if (is_broken()) return {};
  for (;;) {
    if (failure_) return fail(*failure_);
    if (Stream* const lost = lost_.pop()) {
      return ResetEvent{lost, shutdown_.their_code(), ResetEvent::Cause::unprocessed};
    }
    if (scheduler_.has_waiting()) [[unlikely]] {
      const Event event = serve_waiting();
      if (!is_none(event)) return event;
    }
    if (room_is_awaited_ && has_room()) {
      room_is_awaited_ = false;
      return RoomEvent{};
    }
    if (settings_.is_reading()) return next_setting();
    if (phase_ == Phase::preface && !read_preface()) {
      if (failure_) continue;
      return {};
    }
    if (work_.is_turn_over()) return {};
    switch (reader_.next()) {
      case FrameReader::Step::need_input:
        if (reader_.is_in_block()) block_.note_waiting(now_);
        return {};
      case FrameReader::Step::violation:
        return fail(reader_.violation());
      case FrameReader::Step::frame:
        break;
    }
    const Event event = on_frame(reader_.frame());
    if (!is_none(event)) return event;
  }
}

/// Streams wait to be written to: one that may be now, or, once, that they wait for the peer.
Event Session::serve_waiting() noexcept {
  if (Stream* const stream = scheduler_.take_woken()) return WritableEvent{stream};
  if (wait_told_ || !scheduler_.is_stuck()) return {};
  wait_told_ = true;
  return WritersWaitEvent{"the peer does not read what other calls sent (max_buffered_output)"};
}

/// Server. Whether the preface is complete; a wrong one ends the connection without a GOAWAY.
bool Session::read_preface() {
  switch (reader_.read_preface(preface_)) {
    case PrefaceReader::State::incomplete:
      return false;
    case PrefaceReader::State::complete:
      phase_ = Phase::open;
      if (settings_.has_sent()) return true;  // and GOAWAY
      write_opening();
      if (const auto last = shutdown_.said()) write_goaway(*last, ErrorCode::no_error, {});
      return true;
    case PrefaceReader::State::wrong:
      failure_ = connection_violation(ErrorCode::protocol_error, preface_.what());
      return false;
  }
  return false;
}

Event Session::on_frame(const Frame& frame) {
  work_.spend(WorkMeter::frame + WorkMeter::of_copied(frame.payload.size()));
  // A jump through a table is one that the processor guesses wrong where these two take turns.
  if (frame.header.type == FrameType::data) return on_data(frame, frame.payload.size());
  if (frame.header.type == FrameType::headers) return on_headers(frame, block_.begin(frame));
  return on_rare_frame(frame);
}

Event Session::on_rare_frame(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::data:
    case FrameType::headers:
      break;  // on_frame() took them
    case FrameType::continuation:
      return on_headers(frame, block_.go_on(frame));
    case FrameType::rst_stream:
      return on_rst_stream(frame);
    case FrameType::settings:
      return on_settings(frame);
    case FrameType::ping:
      return on_ping(frame);
    case FrameType::goaway:
      return on_goaway(frame);
    case FrameType::window_update:
      return on_window_update(frame);
    case FrameType::priority:
      return on_priority(frame);
    case FrameType::push_promise:
      break;  // the reader refused it
  }
  return UnknownFrameEvent{frame.header, frame.payload};
}

// ---- DATA (6.1) ---------------------------------------------------------------------------------

Session::DirectRead Session::direct_read() const noexcept {
  const std::size_t bytes = reader_.direct_bytes();
  if (bytes == 0 || is_broken() || data_stream_ == nullptr || data_stream_->receive_.ended ||
      data_stream_->context_ == nullptr) {
    return {};
  }
  return {data_stream_, bytes};
}

Event Session::direct_received(std::size_t count, TimePoint now) {
  CHECK(count <= reader_.direct_bytes(), count, reader_.direct_bytes());
  now_ = std::max(now_, now);
  if (is_broken() || count == 0) return {};
  progress_at_ = now_;
  work_.spend(WorkMeter::frame + WorkMeter::of_copied(count));
  return on_data(reader_.skip_direct(count), count);
}

Event Session::on_data(const Frame& frame, std::size_t size) {
  const Event fault = frame.begins ? begin_data(frame) : Event();
  if (is_broken()) return fault;
  Stream* const stream = data_stream_;
  const auto count = static_cast<std::uint32_t>(size);
  if (stream == nullptr || stream->receive_.ended) {
    drop_data(frame, count);
    return fault;
  }
  inbound_.receive(*stream, count);
  if (stream->receive_.content_left != HeaderFacts::no_length) {
    stream->receive_.content_left -= count;
  }
  if (frame.ends) return end_data(*stream, frame, count);
  if (count == 0) return {};
  return DataEvent{stream, frame.payload};
}

/// Nobody wants these bytes.
void Session::drop_data(const Frame& frame, std::uint32_t count) {
  inbound_.drop(nullptr, count);
  if (!frame.ends) return;
  note(budget_.late_frame(data_size_));
  Stream* const stream = std::exchange(data_stream_, nullptr);
  if (stream != nullptr && stream->is_orphan_ && frame.header.has(frame_flag::end_stream)) {
    note(stream->state_.receive_data(/*end_stream=*/true));
  }
}

/// The first piece of a frame: whose it is, and whether it may come; if not, what to tell.
Event Session::begin_data(const Frame& frame) {
  const FrameHeader& header = frame.header;
  const std::uint32_t payload = header.length - frame.padding;
  data_size_ = payload;
  data_stream_ = nullptr;
  if (!inbound_.covers(header.length)) {
    return fail(
        connection_violation(ErrorCode::flow_control_error, "DATA beyond the connection's window"));
  }
  Stream* const stream = streams_.find(header.stream);
  // Padding counts too (6.9.1), so this comes before drop() takes it.
  const bool fits =
      stream == nullptr || stream->receive_.ended || InboundWindow::covers(*stream, header.length);
  if (frame.padding > 0) [[unlikely]]
    inbound_.drop(stream, frame.padding);
  if (stream == nullptr) {
    if (const Verdict absent = check_absent(header.stream); !absent) return fail(absent.error());
    return {};
  }
  const StreamState& state = stream->state_;
  if (state.is_closed()) {
    if (state.ending() != StreamState::Ending::reset_by_us) {
      return fail(connection_violation(ErrorCode::stream_closed, "DATA on a closed stream"));
    }
    return {};
  }
  Verdict may_come = StreamState(state).receive_data(/*end_stream=*/false);
  if (may_come && !fits) {
    may_come = stream_error(ErrorCode::flow_control_error, "DATA beyond the stream's window");
  } else if (may_come && !stream->receive_.ended && payload > stream->receive_.content_left) {
    may_come = stream_error(ErrorCode::protocol_error, "more DATA than content-length");
  }
  if (!may_come) return fail_stream(*stream, may_come.error());
  data_stream_ = stream;
  return {};
}

/// A whole DATA frame with that much payload has come, and more may follow.
void Session::count_size(Stream& stream, std::uint32_t payload) {
  stream.receive_.was_tiny = budget_.is_tiny(payload);
  if (stream.receive_.was_tiny) {
    note(budget_.tiny_data(payload));
  } else {
    budget_.large_data();
  }
}

/// The last piece of a frame.
Event Session::end_data(Stream& stream, const Frame& frame, std::uint32_t count) {
  data_stream_ = nullptr;
  Stream::ReceiveSide& receive = stream.receive_;
  if (!frame.header.has(frame_flag::end_stream)) {
    count_size(stream, data_size_);
    if (count == 0) return {};
    return DataEvent{&stream, frame.payload};
  }
  if (receive.content_left != HeaderFacts::no_length && receive.content_left > 0) {
    return fail_stream(
        stream, stream_violation(ErrorCode::protocol_error, "less DATA than content-length"));
  }
  note(stream.state_.receive_data(/*end_stream=*/true));
  inbound_.input_ended(stream);
  note_closed(stream);
  return DataEvent{&stream, frame.payload, /*end_stream=*/true};
}

// ---- other frames of streams --------------------------------------------------------------------

/// RST_STREAM (6.4).
Event Session::on_rst_stream(const Frame& frame) {
  Stream* const stream = streams_.find(frame.header.stream);
  if (stream == nullptr) {
    if (!ids_.is_idle(frame.header.stream)) return {};
    return fail(connection_violation(ErrorCode::protocol_error, "RST_STREAM on an idle stream"));
  }
  ++counted_.resets_received;
  if (stream->is_closed()) return {};
  const auto code = static_cast<ErrorCode>(load_be32(frame.payload.data()));
  close_by_reset(*stream, StreamState::Ending::reset_by_peer);
  if (stream->is_orphan_) {
    destroy(*stream);
    return {};
  }
  charge_reset(*stream);
  work_.spend(of_reset);
  const bool is_unprocessed = role_ == Role::client && code == ErrorCode::refused_stream;
  return ResetEvent{stream, code,
                    is_unprocessed ? ResetEvent::Cause::unprocessed : ResetEvent::Cause::peer};
}

/// WINDOW_UPDATE (6.9).
Event Session::on_window_update(const Frame& frame) {
  const StreamId id = frame.header.stream;
  const std::uint32_t increment = load_be32(frame.payload.data()) & max_window_size;
  if (id == 0) {
    if (increment == 0) {
      return fail(connection_violation(ErrorCode::protocol_error, "WINDOW_UPDATE by 0"));
    }
    if (scheduler_.window().change(increment)) return {};
    return fail(connection_violation(ErrorCode::flow_control_error,
                                     "the connection's window above 2^31-1"));
  }
  Stream* const stream = streams_.find(id);
  if (stream == nullptr) {
    if (!ids_.is_idle(id)) return {};
    return fail(connection_violation(ErrorCode::protocol_error, "WINDOW_UPDATE on an idle stream"));
  }
  if (stream->is_closed()) return {};
  if (increment == 0) {
    return fail_stream(*stream, stream_violation(ErrorCode::protocol_error, "WINDOW_UPDATE by 0"));
  }
  if (!stream->send_.window.change(increment)) {
    return fail_stream(*stream, stream_violation(ErrorCode::flow_control_error,
                                                 "the stream's window above 2^31-1"));
  }
  scheduler_.window_changed(*stream);
  return {};
}

/// PRIORITY (6.3): deprecated and ignored, but for a stream that depends on itself (RFC
/// 7540 5.3.1).
Event Session::on_priority(const Frame& frame) {
  note(budget_.overhead_frame());
  const StreamId id = frame.header.stream;
  if ((load_be32(frame.payload.data()) & max_stream_id) != id) return {};
  const Violation violation =
      stream_violation(ErrorCode::protocol_error, "a stream that depends on itself");
  if (Stream* const stream = streams_.find(id)) {
    return stream->is_closed() ? Event() : fail_stream(*stream, violation);
  }
  return ids_.is_idle(id) ? fail(connection_violation(violation.code, violation.what)) : Event();
}

// ---- frames of the connection -------------------------------------------------------------------

/// SETTINGS (6.5).
Event Session::on_settings(const Frame& frame) {
  if (frame.header.has(frame_flag::ack)) {
    if (const Verdict awaited = settings_.acknowledge(); !awaited) return fail(awaited.error());
    inbound_.settings_acknowledged();
    return SettingsAckEvent{};
  }
  settings_.begin(frame.payload);
  return {};
}

/// Takes the entries of the SETTINGS at hand, up to an unknown one or their end.
Event Session::next_setting() {
  while (settings_.has_entry()) {
    const Result<SettingsExchange::Entry, Violation> entry = settings_.next();
    if (!entry) return fail(entry.error());
    const Setting& setting = entry->setting;
    if (!entry->is_known) {
      return UnknownSettingEvent{setting};
    }
    if (setting.id == SettingId::header_table_size) {
      encoder_.set_peer_max_table_size(setting.value);
    }
  }
  return finish_settings();
}

Event Session::finish_settings() {
  const std::int64_t delta = settings_.finish();
  scheduler_.set_max_frame_size(settings_.theirs().max_frame_size);
  if (delta != 0) {
    work_.spend(static_cast<WorkMeter::Units>(streams_.size()) * WorkMeter::visit);
    bool fits = true;
    streams_.for_each([&](Stream& stream) {
      if (stream.is_closed()) return;
      fits = stream.send_.window.change(delta) && fits;
      scheduler_.window_changed(stream);
    });
    if (!fits) {  // 6.9.2
      return fail(connection_violation(ErrorCode::flow_control_error,
                                       "SETTINGS_INITIAL_WINDOW_SIZE overflows a window"));
    }
  }
  count_induced();
  write_frame({0, FrameType::settings, frame_flag::ack, 0}, {});
  return SettingsEvent{};
}

/// PING (6.7).
Event Session::on_ping(const Frame& frame) {
  if (!frame.header.has(frame_flag::ack)) {
    count_induced();
    if (role_ == Role::server) note(budget_.ping(now_, streams_.size() > 0));
    write_frame({0, FrameType::ping, frame_flag::ack, 0}, frame.payload);
    return {};
  }
  return PingAckEvent{std::uint64_t{load_be32(frame.payload.data())} << 32U |
                      load_be32(frame.payload.data() + 4)};
}

/// GOAWAY (6.8): streams above the last id were never begun and are told so one by one.
Event Session::on_goaway(const Frame& frame) {
  const GoawayEvent event{load_be32(frame.payload.data()) & max_stream_id,
                          static_cast<ErrorCode>(load_be32(frame.payload.data() + 4)),
                          frame.payload.subspan(payload_size::goaway)};
  if (const Verdict heard = shutdown_.receive(event.last, event.code); !heard) {
    return fail(heard.error());
  }
  if (role_ == Role::server) return event;
  work_.spend(static_cast<WorkMeter::Units>(streams_.size()) * WorkMeter::visit);
  streams_.for_each([&](Stream& stream) {
    if (stream.id_ <= event.last || stream.is_closed()) return;
    close_by_reset(stream, StreamState::Ending::reset_by_peer);
    lost_.push(stream);
  });
  return event;
}

// ---- errors (5.4) -------------------------------------------------------------------------------

Event Session::fail(const Violation& violation) {
  // A peer that does not speak HTTP/2 gets no frame.
  if (phase_ == Phase::open) {
    write_goaway(shutdown_.lowered(ids_.last_of_peer()), violation.code, violation.what);
  }
  phase_ = Phase::broken;
  return ConnectionErrorEvent{violation.code, violation.what};
}

Event Session::fail_stream(Stream& stream, const Violation& violation) {
  count_induced();
  write_rst(stream.id_, violation.code);
  close_by_reset(stream, StreamState::Ending::reset_by_us);
  if (stream.is_orphan_) {
    destroy(stream);
    return {};
  }
  charge_reset(stream);
  return ResetEvent{&stream, violation.code, ResetEvent::Cause::violation, violation.what};
}

/// Keeps a violation for the next call of next_event().
void Session::note(const Verdict& verdict) {
  if (!verdict && !failure_) failure_ = verdict.error();
}

}  // namespace nearcall::inline v0::detail::http2
