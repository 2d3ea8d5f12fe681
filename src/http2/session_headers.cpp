// SPDX-License-Identifier: Apache-2.0
// Session: header blocks in, and the streams that they open.
#include "http2/session.hpp"

namespace nearcall::inline v0::detail::http2 {
/// HEADERS, or CONTINUATION (6.10).
Event Session::on_headers(const Frame& frame, HeaderBlockInput::Step step) {
  switch (step) {
    case HeaderBlockInput::Step::more:
      return {};
    case HeaderBlockInput::Step::violation:
      return fail(block_.violation());
    case HeaderBlockInput::Step::block:
      break;
  }
  return on_block(frame.header.stream);
}

/// A whole header block. It is decoded whatever becomes of it, or the tables would part (4.3).
Event Session::on_block(StreamId id) {
  const ByteSpan block = block_.block();
  const bool end_stream = block_.ends_stream();
  const Verdict decoded = decoder_.decode(block, headers_);
  work_.spend(WorkMeter::of_block(block.size()) +
              WorkMeter::of_fields(headers_.list_size() + decoder_.literal_size()));
  if (!decoded) return fail(decoded.error());
  if (Stream* const stream = streams_.find(id)) return on_more_headers(*stream, end_stream);
  if (ids_.opens(id)) return on_request(id, end_stream);
  if (const Verdict absent = check_absent(id); !absent) return fail(absent.error());
  note(budget_.late_frame(0));
  return {};
}

/// A request opens a stream (5.1.1). One that cannot be taken is refused: no slot, or no budget for
/// its headers, malformed (8.1.1), or a header list beyond the limits, for which gRPC's
/// RESOURCE_EXHAUSTED is what ENHANCE_YOUR_CALM means to the client.
Event Session::on_request(StreamId id, bool end_stream) {
  ids_.open(id);
  if (shutdown_.is_closed()) {
    note(budget_.overhead_frame());
    if (!end_stream) budget_.input_dropped(options_.initial_window_size);
    return {};
  }
  if (streams_.size() >= limits().max_concurrent_streams || !may_keep_headers()) {
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
  if (!facts || lacks_body || block_.depends_on_itself()) {
    refuse(id, end_stream, ErrorCode::protocol_error);
    return {};
  }
  if (streams_.size() == 0) settings_.restart_clock(now_);
  Stream& stream = streams_.add(id);
  stream.state_ = StreamState::inbound(end_stream);
  stream.send_.window = Window(settings_.theirs().initial_window_size);
  stream.receive_.content_left = facts->content_length;
  inbound_.open(stream);
  if (end_stream) inbound_.input_ended(stream);
  keep_headers(stream, headers_.list_size());
  ++counted_.streams_opened;
  return HeadersEvent{&stream, &headers_, HeadersEvent::Part::head, end_stream};
}

/// Response, or trailers of either side.
Event Session::on_more_headers(Stream& stream, bool end_stream) {
  if (stream.is_closed()) {
    if (stream.state_.ending() == StreamState::Ending::reset_by_us) {
      note(budget_.late_frame(0));
      return {};
    }
    return fail(connection_error(ErrorCode::stream_closed, "HEADERS on a closed stream").error());
  }
  const Result<HeadersEvent::Part, Violation> part = take_headers(stream, end_stream);
  if (!part) return fail_stream(stream, part.error());
  if (end_stream) {
    inbound_.input_ended(stream);
    note_closed(stream);
  }
  if (stream.is_orphan_) return {};
  // Trailers of requests say that they have ended: a server's owner keeps nothing of them.
  if (role_ == Role::client && *part != HeadersEvent::Part::informational) {
    keep_headers(stream, headers_.list_size());
  }
  return HeadersEvent{&stream, &headers_, *part, end_stream};
}

/// Checks the list, moves the stream on, and says which of its blocks this is.
Result<HeadersEvent::Part, Violation> Session::take_headers(Stream& stream, bool end_stream) {
  using Part = HeadersEvent::Part;
  Stream::ReceiveSide& receive = stream.receive_;
  if (stream.state_.remote() == StreamState::Half::closed) {
    return stream_error(ErrorCode::stream_closed, "HEADERS after END_STREAM");
  }
  if (headers_.is_truncated()) {
    return stream_error(ErrorCode::enhance_your_calm,
                        "header list too large (max_header_list_size, max_header_fields)");
  }
  if (!stream.is_orphan_ && role_ == Role::client && !may_keep_headers()) {
    return stream_error(ErrorCode::enhance_your_calm,
                        "the headers of all calls too large (max_buffered_headers)");
  }
  const bool is_trailers = stream.state_.remote() == StreamState::Half::open;
  const Result<HeaderFacts, Violation> facts =
      rules_.check(headers_, is_trailers ? HeaderKind::trailers : HeaderKind::response);
  if (!facts) return Failure{facts.error()};
  if (block_.depends_on_itself()) {
    return stream_error(ErrorCode::protocol_error, "a stream that depends on itself");
  }
  const bool is_informational = facts->is_informational();
  if (const Verdict moved = stream.state_.receive_headers(end_stream, is_informational); !moved) {
    return Failure{moved.error()};
  }
  if (is_informational) {
    if (++receive.informational <= limits().max_informational) return Part::informational;
    return stream_error(ErrorCode::enhance_your_calm, "too many 1xx responses (max_informational)");
  }
  if (!is_trailers) {
    // 8.1.1: a 304 may tell the length of what it does not carry.
    receive.content_left = facts->status == 304 ? HeaderFacts::no_length : facts->content_length;
  }
  if (end_stream && receive.content_left != HeaderFacts::no_length && receive.content_left > 0) {
    return stream_error(ErrorCode::protocol_error, "less DATA than content-length");
  }
  return is_trailers ? Part::trailers : Part::head;
}

void Session::refuse(StreamId id, bool end_stream, ErrorCode code) {
  count_induced();
  write_rst(id, code);
  if (!end_stream) {
    ids_.remember_reset(id);
    budget_.input_dropped(options_.initial_window_size);
  }
  ++counted_.requests_refused;
  note(budget_.stream_refused(now_));
}

/// DATA or HEADERS for a stream that is not there (5.1): whether that may be, and is ignored.
Session::Verdict Session::check_absent(StreamId id) {
  switch (ids_.absent(id)) {
    case StreamIds::Absent::idle:
      return connection_error(ErrorCode::protocol_error,
                              "a frame on a stream that was never opened");
    case StreamIds::Absent::closed:
      if (role_ == Role::server && shutdown_.is_refused(id)) break;
      return connection_error(ErrorCode::stream_closed, "a frame on a closed stream");
    case StreamIds::Absent::ignored:
      break;
  }
  return {};
}

}  // namespace nearcall::inline v0::detail::http2
