// SPDX-License-Identifier: Apache-2.0
// Session: commands, the life of streams, and time.
#include "http2/session.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail::http2 {

namespace {

/// A client may open as many before the server's SETTINGS: what RFC 9113 section 6.5.2 recommends
/// that servers allow at least.
constexpr std::uint32_t streams_before_settings = 100;

}  // namespace

Session::Session(Role role, const SessionOptions& options, TimePoint now)
    : role_(role),
      phase_(role == Role::client ? Phase::open : Phase::preface),
      options_(options),
      reader_(*options_.limits, options_.max_frame_size),
      settings_(role),
      ids_(role),
      block_(*options_.limits),
      decoder_({limits().max_header_list_size, limits().max_header_fields,
                std::uint64_t{4} * limits().max_header_block_size}),
      scheduler_(output_, segments_, *options_.limits),
      inbound_(streams_, *options_.limits, options_.initial_window_size),
      budget_(*options_.limits, now),
      greeting_awaited_since_(now),
      now_(now),
      progress_at_(now) {
  CHECK(options.initial_window_size <= max_window_size);
  CHECK(options.max_frame_size >= min_max_frame_size &&
        options.max_frame_size <= max_max_frame_size);
  if (role == Role::client) write_opening();
}

Session::~Session() {
  streams_.for_each([this](Stream& stream) { scheduler_.drop(stream); });
}

// ---- streams ------------------------------------------------------------------------------------

Session::OpenState Session::open_state() const noexcept {
  if (is_broken() || shutdown_.opens_none() || !ids_.has_next()) return OpenState::closed;
  const std::uint32_t most = reader_.awaits_settings() ? streams_before_settings
                                                       : settings_.theirs().max_concurrent_streams;
  return active_ < most ? OpenState::ready : OpenState::full;
}

void Session::pass_unseen(TimePoint since, TimePoint now) noexcept {
  now_ = std::max(now_, now);
  if (now <= since) return;
  greeting_awaited_since_ += now - since;
  settings_.pass(now - since);
}

Stream& Session::open_stream(const HeaderTemplate& stable,
                             std::span<const HeaderField> variable,
                             bool end_stream,
                             void* context) {
  Stream& stream = add_stream(end_stream, context);
  write_headers(stream.id_, &stable, variable, end_stream);
  return stream;
}

Stream& Session::add_stream(bool end_stream, void* context) {
  CHECK(role_ == Role::client && open_state() == OpenState::ready);
  if (streams_.size() == 0) settings_.restart_clock(now_);
  Stream& stream = streams_.add(ids_.take_next());
  stream.context_ = context;
  stream.state_ = StreamState::outbound(end_stream);
  stream.is_active_ = true;
  ++active_;
  stream.send_.window = Window(settings_.theirs().initial_window_size);
  inbound_.open(stream);
  ++counted_.streams_opened;
  return stream;
}

void Session::send_headers(Stream& stream,
                           const HeaderTemplate& stable,
                           std::span<const HeaderField> variable,
                           bool end_stream) {
  if (!can_send(stream) || !stream.state_.may_send_headers()) return;
  CHECK(end_stream || stream.state_.local() == StreamState::Half::idle, stream.id_);
  if (stream.send_.queued == 0) {
    write_headers(stream.id_, &stable, variable, end_stream);
    stream.state_.send_headers(end_stream);
    if (end_stream) note_closed(stream);
    return;
  }
  fields_out_.assign(stable.fields().begin(), stable.fields().end());
  fields_out_.insert(fields_out_.end(), variable.begin(), variable.end());
  scheduler_.queue_trailers(stream, HeaderTemplate(fields_out_));
}

MutableByteSpan Session::reserve_data(Stream& stream, std::size_t size) {
  if (!can_send(stream) || !stream.state_.may_send_data()) return {};
  return scheduler_.reserve(stream, size);
}

void Session::commit_data(Stream& stream, std::size_t size, bool end_stream) {
  if (!can_send(stream)) return;
  CHECK(stream.state_.may_send_data(), stream.id_);
  if (size > 0) {
    budget_.served();
    scheduler_.commit(stream, size, end_stream);
    if (end_stream) ended_here(stream);
  } else if (end_stream) {
    this->end_stream(stream);
  }
}

void Session::send_data(Stream& stream, OwnedBytes bytes, bool end_stream) {
  if (!can_send(stream)) return;
  CHECK(stream.state_.may_send_data(), stream.id_);
  if (bytes.empty()) {
    if (end_stream) this->end_stream(stream);
    return;
  }
  if (bytes.size() <= SendScheduler::max_copied) {
    const MutableByteSpan room = scheduler_.reserve(stream, bytes.size());
    if (!room.empty()) {
      std::ranges::copy(bytes.span(), room.begin());
      budget_.served();
      scheduler_.commit(stream, bytes.size(), end_stream);
      if (end_stream) ended_here(stream);
      return;
    }
  }
  stream.send_.ends = end_stream;
  scheduler_.queue(stream, std::move(bytes));
}

void Session::send_data(Stream& stream, std::span<OwnedBytes> pieces, bool end_stream) {
  if (!can_send(stream)) return;
  CHECK(stream.state_.may_send_data() && !pieces.empty(), stream.id_);
  stream.send_.ends = end_stream;
  for (OwnedBytes& piece : pieces) {
    scheduler_.queue(stream, std::move(piece));
  }
}

void Session::end_stream(Stream& stream) {
  if (!can_send(stream) || !stream.state_.may_send_data()) return;
  if (stream.send_.queued > 0) {
    stream.send_.ends = true;
    return;
  }
  scheduler_.end_stream(stream);
  ended_here(stream);
}

bool Session::is_writable(Stream& stream, std::size_t size) noexcept {
  return can_send(stream) && scheduler_.is_writable(stream, size);
}

bool Session::may_make_message(Stream& stream) noexcept {
  return !can_send(stream) || scheduler_.may_make_message(stream);
}

bool Session::has_room_for_calls() noexcept {
  room_is_awaited_ = !has_room();
  return !room_is_awaited_;
}

void Session::consumed(Stream& stream, std::size_t count) {
  budget_.useful(count);
  inbound_.consume(stream, count);
  if (stream.receive_.was_tiny && stream.receive_.unconsumed == 0) message_completed(stream);
}

void Session::dropped(Stream& stream) noexcept {
  inbound_.need(stream, 0);
  inbound_.consume(stream, stream.receive_.unconsumed);
}

void Session::needs(Stream& stream, std::size_t remaining) {
  inbound_.need(stream, remaining);
}

void Session::message_completed(Stream& stream) noexcept {
  if (!stream.receive_.was_tiny) return;
  stream.receive_.was_tiny = false;
  budget_.forgive_tiny();
}

void Session::reset_stream(Stream& stream, ErrorCode code) {
  if (!can_command(stream)) return;
  write_rst(stream.id_, code);
  close_by_reset(stream, StreamState::Ending::reset_by_us);
}

void Session::release(Stream& stream, TimePoint deadline) {
  kept_headers_ -= std::exchange(stream.receive_.kept_headers, 0U);
  if (can_command(stream)) {
    const bool has_ended = stream.state_.local() == StreamState::Half::closed;
    if (role_ == Role::server && stream.send_.is_finishing()) {
      stream.is_orphan_ = true;
      stream.orphan_until_ = deadline;
      stream.context_ = nullptr;
      ++orphans_;
      orphans_until_ = std::min(orphans_until_, deadline);
      lost_.remove(stream);
      drop_input(stream);
      inbound_.remove(stream);
      scheduler_.leave(stream);
      return;
    }
    const bool is_server_done = role_ == Role::server && has_ended;
    const ErrorCode unfinished =
        role_ == Role::client ? ErrorCode::cancel : ErrorCode::internal_error;
    reset_stream(stream, is_server_done ? ErrorCode::no_error : unfinished);
  }
  destroy(stream);
}

/// END_STREAM is in the output.
void Session::ended_here(Stream& stream) noexcept {
  stream.state_.send_end();
  note_closed(stream);
}

void Session::note_closed(Stream& stream) noexcept {
  if (!stream.is_active_ || !stream.is_closed()) return;
  stream.is_active_ = false;
  --active_;
}

void Session::close_by_reset(Stream& stream, StreamState::Ending ending) {
  if (!is_answered(stream)) ++counted_.streams_failed;
  const bool more_may_come = stream.state_.remote() != StreamState::Half::closed;
  if (ending == StreamState::Ending::reset_by_us && more_may_come) {
    ids_.remember_reset(stream.id_);
    drop_input(stream);
  }
  stream.state_.reset(ending);
  scheduler_.drop(stream);
  inbound_.input_ended(stream);
  note_closed(stream);
}

/// What the peer still sends on the stream before it knows is no abuse.
void Session::drop_input(const Stream& stream) noexcept {
  if (!stream.receive_.ended) budget_.input_dropped(stream.receive_.window.available());
}

/// The peer ended the stream, or made us do it.
void Session::charge_reset(Stream& stream) {
  if (stream.is_orphan_) return;
  stream.is_charged_ = true;
  note(budget_.stream_reset());
}

void Session::destroy(Stream& stream) noexcept {
  inbound_.remove(stream);
  scheduler_.drop(stream);
  lost_.remove(stream);
  if (data_stream_ == &stream) data_stream_ = nullptr;
  if (stream.is_active_) --active_;
  if (stream.is_orphan_ && --orphans_ == 0) orphans_until_ = no_deadline;
  budget_.stream_released(stream.is_charged_);
  streams_.remove(stream);
}

/// A released stream goes when its last byte is in the output.
void Session::settle_orphan(Stream& stream) {
  if (stream.state_.local() != StreamState::Half::closed) return;
  if (!stream.is_closed()) reset_stream(stream, ErrorCode::no_error);
  destroy(stream);
}

/// A peer that takes its time beyond the deadline of its own call. CANCEL is what gRPC asks for
/// where a call ends and what was sent of it is incomplete.
void Session::drop_late_orphans() {
  orphans_until_ = no_deadline;
  streams_.for_each([this](Stream& stream) {
    if (!stream.is_orphan_) return;
    if (stream.orphan_until_ > now_) {
      orphans_until_ = std::min(orphans_until_, stream.orphan_until_);
      return;
    }
    count_induced();
    reset_stream(stream, ErrorCode::cancel);
    destroy(stream);
  });
}

// ---- connection ---------------------------------------------------------------------------------

bool Session::is_drained() const noexcept {
  const bool opens_none = role_ == Role::client && open_state() == OpenState::closed;
  const bool accepts_none = role_ == Role::server && shutdown_.is_closed();
  return (opens_none || accepts_none) && streams_.size() == 0;
}

SessionStats Session::stats() const noexcept {
  SessionStats stats = counted_;
  stats.resets_outstanding = budget_.resets_outstanding();
  stats.refusals_left = budget_.refusals_left();
  stats.empty_data = budget_.empty_data();
  stats.overhead_frames = budget_.overhead_frames();
  stats.induced_frames = budget_.induced_frames(output_.sent());
  stats.buffered_input = inbound_.buffered();
  stats.buffered_headers = kept_headers_;
  stats.buffered_output = scheduler_.buffered();
  stats.is_rationing = inbound_.is_rationing();
  stats.send_window = scheduler_.window().size();
  stats.receive_window = inbound_.window().size();
  return stats;
}

std::size_t Session::count_unfinished() noexcept {
  std::size_t count = 0;
  streams_.for_each([&](const Stream& stream) { count += is_answered(stream) ? 0U : 1U; });
  return count;
}

void Session::trim() noexcept {
  output_.trim();
  segments_.trim();
  reader_.trim();
  streams_.trim();
  rules_.trim();
  templates_.trim();
  decoder_.trim();
  headers_.trim();
  if (!reader_.is_in_block()) block_.trim();
  block_out_ = std::vector<std::byte>();
  fields_out_ = std::vector<HeaderField>();
}

// ---- time ---------------------------------------------------------------------------------------

/// Output that waits and belongs to no stream, or so much of it that we do not read. What a
/// released stream has left is its call's: the reader may pause, but a drain does not wait for it.
bool Session::is_stalled_output() const noexcept {
  if (streams_.size() == 0 || should_pause_reading()) return has_output();
  return shutdown_.is_announced() && streams_.size() == orphans_;
}

TimePoint Session::next_deadline() const noexcept {
  if (is_broken()) return no_deadline;
  const ConnectionLimits& limits = this->limits();
  TimePoint next = orphans_until_;
  const auto consider = [&next](TimePoint since, Duration timeout) {
    if (since != no_deadline) next = std::min(next, deadline_after(since, timeout));
  };
  if (reader_.awaits_settings()) consider(greeting_awaited_since_, limits.handshake_timeout);
  consider(block_.waits_since(), limits.header_block_timeout);
  if (streams_.size() > 0) consider(settings_.awaiting_since(), limits.settings_timeout);
  if (is_stalled_output()) consider(progress_at_, limits.stall_timeout);
  return next;
}

void Session::on_time(TimePoint now) {
  now_ = std::max(now_, now);
  if (is_broken() || failure_) return;
  if (now_ >= orphans_until_) drop_late_orphans();
  if (failure_ || now_ < next_deadline()) return;
  const ConnectionLimits& limits = this->limits();
  const auto is_over = [this](TimePoint since, Duration timeout) {
    return now_ >= deadline_after(since, timeout);
  };
  const auto time_out = [this](ErrorCode code, std::string_view what) {
    failure_ = Violation{Violation::Scope::connection, code, what};
  };
  if (reader_.awaits_settings() && is_over(greeting_awaited_since_, limits.handshake_timeout)) {
    time_out(ErrorCode::settings_timeout,
             role_ == Role::client ? "no SETTINGS in time (connect_timeout)"
                                   : "no preface or SETTINGS in time (handshake_timeout)");
  } else if (is_over(block_.waits_since(), limits.header_block_timeout)) {
    time_out(ErrorCode::enhance_your_calm, "a header block took too long (header_block_timeout)");
  } else if (is_stalled_output() && is_over(progress_at_, limits.stall_timeout)) {
    time_out(ErrorCode::enhance_your_calm, "the peer does not read (stall_timeout)");
  } else {
    time_out(ErrorCode::settings_timeout, "no ACK of SETTINGS in time (settings_timeout)");
  }
}

}  // namespace nearcall::inline v0::detail::http2
