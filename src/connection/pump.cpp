// SPDX-License-Identifier: Apache-2.0
// Moves bytes between a transport and a session until one of them ends.
#include "connection/pump.hpp"

#include "transport/system_error.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>
#include <variant>

namespace nearcall::inline v0::detail {
namespace {

/// What reading takes of a turn besides a unit for each byte that is looked at, and besides what
/// the session counts itself.
namespace work_of {
constexpr http2::WorkMeter::Units session_units = 8;  // nanoseconds, for a unit
constexpr std::size_t read = 256;                     // a system call
constexpr std::size_t new_stream = 1024;   // a call, with its handler's first steps or its refusal
constexpr std::size_t ended_stream = 512;  // a call that ends with its connection
constexpr std::size_t freed_bytes = 64;    // of what was not read or sent, for a unit
constexpr std::size_t direct_bytes = 16;   // as many are copied once, and not looked at, for a unit
}  // namespace work_of

constexpr std::string_view all_is_over = "all calls are over";
/// What is in our PING, which nobody looks at: any byte that comes is an answer.
constexpr std::uint64_t keep_alive_ping = 0x6b65'6570'616c'6976;

/// What is written at once.
struct Portion {
  std::size_t pieces = 0;
  std::size_t bytes = 0;
};

/// The first of the pieces, as far as they come to `most` bytes; the last one is made to fit.
Portion take_first(std::span<iovec> pieces, std::size_t most) noexcept {
  Portion portion;
  for (; portion.pieces < pieces.size() && portion.bytes < most; ++portion.pieces) {
    std::size_t& length = pieces[portion.pieces].iov_len;
    length = std::min(length, most - portion.bytes);
    portion.bytes += length;
  }
  return portion;
}

/// How many bytes the transport moved of those that it could.
std::size_t moved(const IoResult& result, std::size_t most, const char* misuse) noexcept {
  if (result.count() - 1 >= most) [[unlikely]]  // 0 is beyond all
    fail_precondition(misuse);
  return result.count();
}

std::size_t moved_in(const IoResult& result, std::size_t most) noexcept {
  return moved(result, most,
               "Transport::try_read(): it says that it read no bytes, or more than there was room "
               "for; nothing to read is would_block()");
}

std::size_t moved_out(const IoResult& result, std::size_t most) noexcept {
  return moved(result, most,
               "Transport::try_write(): it says that it wrote no bytes, or more than it was given; "
               "no room is would_block()");
}

}  // namespace

MutableByteSpan read_scratch() {
  static constexpr std::size_t size = std::size_t{64} * 1024;
  thread_local const std::unique_ptr<std::byte[]> memory =
      std::make_unique_for_overwrite<std::byte[]>(size);
  return {memory.get(), size};
}

Pump::Pump(std::unique_ptr<Transport> transport,
           http2::Role role,
           const http2::SessionOptions& options,
           PumpHandler& handler,
           TimePoint now)
    : handler_(&handler),
      transport_(std::move(transport)),
      session_(role, options, now),
      max_new_streams_(role == http2::Role::server ? options.limits->max_new_streams_per_turn
                                                   : std::numeric_limits<std::uint32_t>::max()),
      heard_at_(now) {
}

bool Pump::reads_into_message() {
  return session_.direct_read().bytes > 0;
}

Pump::Progress Pump::read(MutableByteSpan scratch, TimePoint now) {
  if (state_ >= State::lingering) return read_away(scratch);
  if (session_.should_pause_reading()) return Progress::none;
  if (is_turn_over()) return Progress::some;
  work_ += work_of::read;
  if (has_unread()) {
    has_read_all_ = false;  // what the descriptor told of meanwhile was not read
    const std::size_t before = session_.unread().size();
    dispatch_events(now);
    work_ += before - std::min(before, session_.unread().size());
    return after_input(now);
  }
  const http2::Session::DirectRead direct = session_.direct_read();
  if (direct.bytes > 0) {
    StreamHandler* const handler = StreamHandler::of(*direct.stream);
    MutableByteSpan tail = handler != nullptr ? handler->direct_tail() : MutableByteSpan();
    tail = tail.first(std::min(tail.size(), direct.bytes));
    if (!tail.empty()) return read_direct(tail, *handler, now);
  }
  const IoResult result = transport_->try_read(scratch);
  const bool has_bytes = result.kind() == IoResult::Kind::bytes;
  const std::size_t count = has_bytes ? moved_in(result, scratch.size()) : 0;
  const Progress progress = feed(result, scratch.first(count), now);
  work_ += count - std::min(count, session_.unread().size());
  return progress;
}

/// What the peer still says is for nobody.
Pump::Progress Pump::read_away(MutableByteSpan scratch) {
  if (has_ended()) return Progress::ended;
  work_ += work_of::read;
  const IoResult result = transport_->try_read(scratch);
  has_read_all_ = result.is_all();
  if (result.kind() == IoResult::Kind::would_block) return Progress::none;
  if (result.kind() == IoResult::Kind::bytes) {
    const std::size_t count = moved_in(result, scratch.size());
    work_ += count / work_of::direct_bytes;
    if (count <= linger_bytes_left_) {
      linger_bytes_left_ -= count;
      return Progress::some;
    }
  }
  close(EndReason::drained, all_is_over);
  return Progress::ended;
}

Pump::Progress Pump::read_direct(MutableByteSpan tail, StreamHandler& handler, TimePoint now) {
  const IoResult result = transport_->try_read(tail);
  if (result.kind() != IoResult::Kind::bytes) return feed(result, {}, now);
  const std::size_t count = moved_in(result, tail.size());
  heard_at_ = now;
  has_read_all_ = result.is_all();
  work_ += count / work_of::direct_bytes;
  const http2::Event event = session_.direct_received(count, now);
  if (std::holds_alternative<http2::ResetEvent>(event)) {  // the stream ended, but too early
    dispatch(event);
  } else {
    handler.on_direct_data(count, http2::ends_stream(event));
  }
  dispatch_events(now);  // such as a budget that the end of the frame exceeded
  return after_input(now);
}

Pump::Progress Pump::feed(const IoResult& result, ByteSpan bytes, TimePoint now) {
  if (has_ended()) return Progress::ended;
  has_read_all_ = result.is_all();
  switch (result.kind()) {
    case IoResult::Kind::would_block:
      return Progress::none;
    case IoResult::Kind::bytes:
      heard_at_ = now;
      session_.receive(bytes, now);
      dispatch_events(now);
      return after_input(now);
    case IoResult::Kind::end_of_stream:
      close(session_.is_drained() ? EndReason::drained : EndReason::peer_closed,
            "the peer closed the connection");
      return Progress::ended;
    case IoResult::Kind::failed:
      close(EndReason::read_failed, error_text(result.error()));
      return Progress::ended;
  }
  return Progress::none;
}

std::size_t Pump::take_work() noexcept {
  const http2::WorkMeter::Units before = std::exchange(session_work_, session_.work());
  const http2::WorkMeter::Units units = (session_work_ - before) / work_of::session_units;
  return std::exchange(work_, 0) + static_cast<std::size_t>(units);
}

void Pump::dispatch_events(TimePoint now) {
  while (session_.may_have_event()) {
    const http2::Event event = session_.next_event();
    if (http2::is_none(event)) break;
    dispatch(event);
  }
  keep_unread(now);
}

/// What is left lies in the driver's buffer, or, after the first time, in ours.
void Pump::keep_unread(TimePoint now) {
  const ByteSpan left = session_.unread();
  if (left.empty()) {
    unread_ = {};
  } else if (unread_.empty()) {
    unread_.assign(left.begin(), left.end());
    session_.receive(unread_, now);
  }
}

void Pump::dispatch(const http2::Event& event) {
  if (const auto* const data = std::get_if<http2::DataEvent>(&event)) {
    if (StreamHandler* const handler = StreamHandler::of(*data->stream)) {
      handler->on_data(data->bytes, data->end_stream);
    }
  } else if (const auto* const headers = std::get_if<http2::HeadersEvent>(&event)) {
    StreamHandler* const handler = StreamHandler::of(*headers->stream);
    if (handler != nullptr) return handler->on_headers(*headers);
    if (--new_streams_left_ == 0) session_.end_turn();
    work_ += work_of::new_stream;
    handler_->on_event(event);
  } else if (const auto* const reset = std::get_if<http2::ResetEvent>(&event)) {
    StreamHandler* const handler = StreamHandler::of(*reset->stream);
    if (handler != nullptr) return handler->on_reset(*reset);
    handler_->on_event(event);
  } else if (const auto* const writable = std::get_if<http2::WritableEvent>(&event)) {
    if (StreamHandler* const handler = StreamHandler::of(*writable->stream)) handler->on_writable();
  } else if (const auto* const error = std::get_if<http2::ConnectionErrorEvent>(&event)) {
    violation_ = *error;
  } else {
    handler_->on_event(event);
  }
}

Pump::Progress Pump::after_input(TimePoint now) {
  if (!session_.is_broken()) return has_ended() ? Progress::ended : Progress::some;
  flush(now);
  close(EndReason::protocol_violation, violation_.what);
  return Progress::ended;
}

Pump::Progress Pump::flush(TimePoint now, std::size_t most) {
  if (state_ >= State::unwritable) return is_lingering() ? Progress::some : Progress::ended;
  std::array<iovec, 64> pieces;
  is_write_blocked_ = false;
  has_rest_ = session_.has_output();
  while (!is_write_blocked_ && most > 0 && has_rest_) {
    const Portion portion = take_first(std::span(pieces).first(session_.output(pieces)), most);
    if (portion.pieces == 0) break;
    const IoResult result = transport_->try_write(std::span(pieces.data(), portion.pieces));
    if (result.kind() == IoResult::Kind::bytes) {
      const std::size_t count = moved_out(result, portion.bytes);
      session_.output_sent(count, now);
      has_rest_ = session_.has_output();
      most -= count;
      work_ += count / work_of::direct_bytes;
    } else if (result.kind() == IoResult::Kind::would_block) {
      is_write_blocked_ = true;
    } else {
      state_ = State::unwritable;
      close_after_write_failure(result.error(), now);
      return Progress::ended;
    }
  }
  if (session_.may_have_event()) {  // streams that became writable
    dispatch_events(now);
    has_rest_ = session_.has_output();
  }
  if (is_write_blocked_) return has_ended() ? Progress::ended : Progress::none;
  // A session that the peer broke is no drained one: after_input() ends it, with what was wrong.
  const bool may_drain = state_ == State::open && !session_.is_broken();
  if (may_drain && !has_rest_ && session_.is_drained()) return finish(now);
  return Progress::some;
}

/// Both sides are through, and all that we had to say is with the transport.
Pump::Progress Pump::finish(TimePoint now) {
  if (!lingers_at_end_) {
    close(EndReason::drained, all_is_over);
    return Progress::ended;
  }
  const ConnectionLimits& limits = session_.limits();
  state_ = State::lingering;
  linger_until_ = deadline_after(now, limits.linger_timeout);
  linger_bytes_left_ = limits.max_buffered_input;
  transport_->shutdown_write();
  return Progress::some;
}

/// The peer has closed, and what it said before that (GOAWAY) is still to be read, whatever this
/// turn has done already: there is no other one.
void Pump::close_after_write_failure(std::error_code error, TimePoint now) {
  constexpr int most_reads = 64;
  for (int reads = 0; reads < most_reads && !has_ended(); ++reads) {
    begin_turn();
    if (read(read_scratch(), now) != Progress::some) break;
  }
  close(EndReason::write_failed, error_text(error));
}

void Pump::on_time(TimePoint now) {
  if (has_ended()) return;
  if (is_lingering()) {
    if (now >= linger_until_) close(EndReason::drained, all_is_over);
    return;
  }
  session_.on_time(now);
  dispatch_events(now);
  if (after_input(now) != Progress::ended) look_whether_alive(now);
}

void Pump::look_whether_alive(TimePoint now) {
  // The PING waits behind what the peer takes: whoever takes it is there.
  if (sent_before_ < ping_end_ && session_.sent_position() != sent_before_) {
    sent_before_ = session_.sent_position();
    heard_at_ = now;
  }
  switch (keep_alive_.resume(now, heard_at_, session_.stream_count() > 0)) {
    case KeepAlive::Action::wait:
      return;
    case KeepAlive::Action::ping:
      return ask_whether_alive(now);
    case KeepAlive::Action::close:
      return close(EndReason::silent, "it does not answer a keepalive PING (keepalive_timeout)");
  }
}

void Pump::ask_whether_alive(TimePoint now) {
  const bool is_behind = session_.has_output();
  sent_before_ = session_.sent_position();
  session_.send_ping(keep_alive_ping);
  ++keep_alives_sent_;
  ping_end_ = is_behind ? session_.output_position() : 0;
  flush(now);
}

void Pump::trim() noexcept {
  session_.trim();
  handler_->on_idle();
  if (!has_unread()) unread_ = std::vector<std::byte>();
}

void Pump::close(EndReason reason, std::string_view what) {
  if (has_ended()) return;
  end_reason_ = is_lingering() ? EndReason::drained : reason;
  state_ = State::ended;
  work_ += session_.stream_count() * work_of::ended_stream;
  work_ += (session_.buffered_input() + session_.buffered_output()) / work_of::freed_bytes;
  transport_->abort(std::make_error_code(std::errc::connection_aborted));
  const std::string text(what);
  handler_->on_end(end_reason_, text);
}

void Pump::close_with_goaway(EndReason reason,
                             http2::ErrorCode code,
                             std::string_view what,
                             TimePoint now) {
  if (state_ >= State::lingering) return close(reason, what);
  session_.send_goaway(code, what);
  if (state_ == State::open) state_ = State::ending;
  flush(now);
  close(reason, what);
}

}  // namespace nearcall::inline v0::detail
