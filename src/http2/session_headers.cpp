// SPDX-License-Identifier: Apache-2.0
// Session: header blocks in, and the streams that they open.
#include "http2/session.hpp"

namespace nearcall::http2 {
namespace {

Failure<Violation> too_large(std::string_view what) {
  return connection_error(ErrorCode::enhance_your_calm, what);
}

/// HEADERS without its padding and priority fields (RFC 9113 section 6.2).
struct Fragment {
  ByteSpan block;
  StreamId depends_on = 0;
};
Result<Fragment, Violation> fragment_of(const FrameReader::Frame& frame) {
  Fragment fragment{frame.payload};
  std::size_t padding = 0;
  if (frame.header.has(frame_flag::padded)) {
    if (fragment.block.empty()) {
      return connection_error(ErrorCode::frame_size_error, "HEADERS without its pad length");
    }
    padding = std::to_integer<std::size_t>(fragment.block.front());
    fragment.block = fragment.block.subspan(1);
  }
  if (frame.header.has(frame_flag::priority)) {
    if (fragment.block.size() < payload_size::priority) {
      return connection_error(ErrorCode::frame_size_error, "HEADERS without its priority");
    }
    fragment.depends_on = load_be32(fragment.block.data()) & max_stream_id;
    fragment.block = fragment.block.subspan(payload_size::priority);
  }
  if (padding > fragment.block.size()) {
    return connection_error(ErrorCode::protocol_error, "padding as long as the frame");
  }
  fragment.block = fragment.block.first(fragment.block.size() - padding);
  return fragment;
}

}  // namespace

Event Session::on_headers(const Frame& frame) {
  const Result<Fragment, Violation> fragment = fragment_of(frame);
  if (!fragment) return fail(fragment.error());
  block_stream_ = frame.header.stream;
  block_ends_stream_ = frame.header.has(frame_flag::end_stream);
  block_depends_on_itself_ = fragment->depends_on == block_stream_;
  if (frame.header.has(frame_flag::end_headers)) return on_block(fragment->block);
  block_in_.assign(fragment->block.begin(), fragment->block.end());
  continuations_ = 0;
  return {};
}

/// CONTINUATION (6.10).
Event Session::on_continuation(const Frame& frame) {
  const ConnectionLimits& limits = options_.limits;
  if (++continuations_ > limits.max_continuations) {
    return fail(too_large("too many CONTINUATIONs (max_continuations)").error());
  }
  if (block_in_.size() + frame.payload.size() > limits.max_header_block_size) {
    return fail(too_large("header block too large (max_header_block_size)").error());
  }
  block_in_.insert(block_in_.end(), frame.payload.begin(), frame.payload.end());
  if (!frame.header.has(frame_flag::end_headers)) return {};
  return on_block(block_in_);
}

/// A whole header block. It is decoded whatever becomes of it, or the tables would part (4.3).
Event Session::on_block(ByteSpan block) {
  const StreamId id = block_stream_;
  const bool end_stream = block_ends_stream_;
  block_stream_ = 0;
  block_since_ = no_deadline;
  if (block.size() > options_.limits.max_header_block_size) {
    return fail(too_large("header block too large (max_header_block_size)").error());
  }
  const Verdict decoded = decoder_.decode(block, headers_);
  work_.spend(WorkMeter::of_block(block.size()) +
              WorkMeter::of_fields(headers_.list_size() + decoder_.literal_size()));
  if (!decoded) return fail(decoded.error());
  if (Stream* const stream = streams_.find(id)) return on_more_headers(*stream, end_stream);
  if (role_ == Role::server && id % 2 == 1 && id > last_peer_id_) {
    return on_request(id, end_stream);
  }
  if (const Verdict absent = check_absent(id); !absent) return fail(absent.error());
  note(budget_.late_frame(0));
  return {};
}

/// A request opens a stream (5.1.1). One that cannot be taken is refused: no slot, malformed
/// (8.1.1), or a header list beyond the limits, for which gRPC's RESOURCE_EXHAUSTED is what
/// ENHANCE_YOUR_CALM means to the client.
Event Session::on_request(StreamId id, bool end_stream) {
  if (id > last_peer_id_ + 2 || last_peer_id_ == 0) {
    skipped_from_ = last_peer_id_ + 1;
    skipped_to_ = id - 1;
  }
  last_peer_id_ = id;
  if (goaway_sent_) {
    ++counted_.late_frames;
    note(budget_.overhead_frame());
    if (!end_stream) budget_.stream_abandoned(options_.initial_window_size);
    return {};
  }
  if (streams_.size() >= options_.limits.max_concurrent_streams) {
    refuse(id, end_stream, ErrorCode::refused_stream);
    return {};
  }
  if (headers_.is_truncated()) {
    refuse(id, end_stream, ErrorCode::enhance_your_calm);
    return {};
  }
  const Result<HeaderFacts, Violation> facts = rules_.check(headers_, HeaderKind::request);
  const bool lacks_body = facts && end_stream && facts->content_length != HeaderFacts::no_length &&
                          facts->content_length > 0;
  if (!facts || lacks_body || block_depends_on_itself_) {
    refuse(id, end_stream, ErrorCode::protocol_error);
    return {};
  }
  if (streams_.size() == 0) ack_awaited_since_ = now_;
  Stream& stream = streams_.add(id);
  stream.state_ = StreamState::inbound(end_stream);
  stream.send_.window = Window(peer_.initial_window_size);
  stream.receive_.content_left = facts->content_length;
  inbound_.open(stream);
  if (end_stream) inbound_.end(stream);
  ++counted_.streams_opened;
  Event event;
  event.kind = Event::Kind::headers;
  event.stream = &stream;
  event.headers = &headers_;
  event.end_stream = end_stream;
  return event;
}

/// Response, or trailers of either side.
Event Session::on_more_headers(Stream& stream, bool end_stream) {
  if (stream.is_closed()) {
    if (stream.state_.ending() == StreamState::Ending::reset_by_us) {
      ++counted_.late_frames;
      note(budget_.late_frame(0));
      return {};
    }
    return fail(connection_error(ErrorCode::stream_closed, "HEADERS on a closed stream").error());
  }
  Event event;
  if (const Verdict taken = take_headers(stream, end_stream, event); !taken) {
    return fail_stream(stream, taken.error());
  }
  if (end_stream) {
    inbound_.end(stream);
    note_closed(stream);
  }
  if (stream.is_orphan_) return {};
  event.kind = Event::Kind::headers;
  event.stream = &stream;
  event.headers = &headers_;
  event.end_stream = end_stream;
  return event;
}

/// Checks the list and moves the stream on.
Session::Verdict Session::take_headers(Stream& stream, bool end_stream, Event& event) {
  Stream::ReceiveSide& receive = stream.receive_;
  // What the list says does not matter then.
  if (stream.state_.remote() == StreamState::Half::closed) {
    return stream.state_.receive_headers(end_stream, /*is_informational=*/false);
  }
  event.trailers = stream.state_.remote() != StreamState::Half::idle;
  if (headers_.is_truncated()) {
    return stream_error(ErrorCode::enhance_your_calm,
                        "header list too large (max_header_list_size, max_header_fields)");
  }
  const HeaderKind kind = event.trailers ? HeaderKind::trailers : HeaderKind::response;
  const Result<HeaderFacts, Violation> facts = rules_.check(headers_, kind);
  if (!facts) return Failure{facts.error()};
  if (block_depends_on_itself_) {
    return stream_error(ErrorCode::protocol_error, "a stream that depends on itself");
  }
  event.informational = facts->is_informational();
  if (Verdict moved = stream.state_.receive_headers(end_stream, event.informational); !moved) {
    return moved;
  }
  if (event.informational) {
    if (++receive.informational <= options_.limits.max_informational) return {};
    return stream_error(ErrorCode::enhance_your_calm, "too many 1xx responses (max_informational)");
  }
  if (!event.trailers) {
    // 8.1.1: a 304 may tell the length of what it does not carry.
    receive.content_left = facts->status == 304 ? HeaderFacts::no_length : facts->content_length;
  }
  if (end_stream && receive.content_left != HeaderFacts::no_length && receive.content_left > 0) {
    return stream_error(ErrorCode::protocol_error, "less DATA than content-length");
  }
  return {};
}

void Session::refuse(StreamId id, bool end_stream, ErrorCode code) {
  count_induced();
  write_rst(id, code);
  if (!end_stream) {
    closed_.remember(id);
    budget_.stream_abandoned(options_.initial_window_size);
  }
  ++counted_.requests_refused;
  note(budget_.stream_refused(now_));
}

/// DATA or HEADERS for a stream that is not there (5.1): whether that may be, and is ignored.
Session::Verdict Session::check_absent(StreamId id) {
  const bool was_skipped = id >= skipped_from_ && id <= skipped_to_;
  if (is_idle(id) || was_skipped) {
    return connection_error(ErrorCode::protocol_error, "a frame on a stream that was never opened");
  }
  work_.spend(WorkMeter::search);
  const bool is_beyond_goaway = goaway_sent_ && role_ == Role::server && id > goaway_last_;
  if (!is_beyond_goaway && !closed_.is_ignored(id)) {
    return connection_error(ErrorCode::stream_closed, "a frame on a closed stream");
  }
  ++counted_.late_frames;
  return {};
}

bool Session::is_idle(StreamId id) const noexcept {
  if (id % 2 == 0) return true;  // servers open none: no push
  return role_ == Role::server ? id > last_peer_id_ : id >= next_id_;
}

}  // namespace nearcall::http2
