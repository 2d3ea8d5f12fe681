// SPDX-License-Identifier: Apache-2.0
// An attempt's way from its headers to its outcome.
#include "client/attempt.hpp"

#include "connection/metadata_limits.hpp"
#include "grpc/message_encoding.hpp"
#include "grpc/response_head.hpp"
#include "grpc/status_codec.hpp"

#include <string>

namespace nearcall::inline v0::detail {

Outcome outcome_of_reset(const ClientConnection& connection,
                         const http2::ResetEvent& event,
                         bool has_headers) {
  using Cause = http2::ResetEvent::Cause;
  if (connection.is_refused()) return {Seen::ours, connection.lost_status()};
  if (event.cause == Cause::unprocessed && !has_headers) {
    Status why(StatusCode::unavailable, "the server did not take the call");
    if (connection.said_goaway()) why = connection.lost_status();
    return {Seen::refused, std::move(why)};
  }
  if (event.cause != Cause::violation) {
    return {Seen::perhaps, grpc::status_from_reset(static_cast<std::uint32_t>(event.code),
                                                   http2::describe(event.code))};
  }
  if (event.code == http2::ErrorCode::enhance_your_calm) {
    return {Seen::perhaps, Status(StatusCode::resource_exhausted,
                                  "the server went over a limit: " + std::string(event.what))
                               .with_reason(StatusReason::limit)};
  }
  return {Seen::perhaps,
          Status(StatusCode::internal, "the server broke HTTP/2: " + std::string(event.what))};
}

Seen seen_at_loss(const ClientConnection& connection, std::uint64_t position, bool is_ours) {
  if (is_ours) return Seen::ours;
  return connection.session().sent_position() <= position ? Seen::nothing : Seen::perhaps;
}

void Attempt::open(ClientConnection& connection,
                   const http2::HeaderTemplate& head,
                   std::span<const http2::HeaderField> fields,
                   LoopCore* loop,
                   ByteSpan sent_before) {
  const SessionCommands session = connection.commands();
  connection_ = &connection;
  state_ = State::open;
  output_position_ = session->output_position();
  http2::Stream& stream = session->open_stream(head, fields, /*end_stream=*/false, as_context());
  if (!sent_before.empty()) [[unlikely]]
    session->send_data(stream, OwnedBytes::copy_of(sent_before), /*end_stream=*/false);
  messages_.attach(*session, stream, loop);
}

bool Attempt::open_whole(ClientConnection& connection,
                         const http2::HeaderTemplate& head,
                         ByteSpan message,
                         LoopCore* loop) {
  const SessionCommands session = connection.commands();
  const std::uint64_t position = session->output_position();
  http2::Stream* const stream = session->open_whole(head, message, as_context());
  if (stream == nullptr) return false;
  connection_ = &connection;
  state_ = State::open;
  output_position_ = position;
  messages_.attach(*session, *stream, loop);
  return true;
}

void Attempt::take_over(ClientConnection& connection,
                        http2::Stream& stream,
                        std::uint64_t output_position,
                        LoopCore* loop) {
  connection_ = &connection;
  state_ = State::open;
  output_position_ = output_position;
  stream.set_context(as_context());
  messages_.take_over(*connection.commands(), stream, loop);
}

void Attempt::on_output() {
  if (connection_ != nullptr) connection_->on_output();
}

// ---- what comes ---------------------------------------------------------------------------------

void Attempt::on_headers(const http2::HeadersEvent& event) {
  if (state_ != State::open) return;
  take_headers(event);
  if (!is_open()) return;
  if (event.end_stream) return on_data({}, /*end_stream=*/true);
  if (event.part != http2::HeadersEvent::Part::head) return;
  const http2::DataEvent data = connection_->data_behind(messages_.stream());
  if (data.stream != nullptr) on_data(data.bytes, data.end_stream);
}

void Attempt::take_headers(const http2::HeadersEvent& event) {
  const http2::HeaderList& list = *event.list;
  const PlainBlock plain = connection_->plain_block(list);
  if (headers_came_) {
    if (plain == PlainBlock::ok_trailers) return on_ok();
    return on_trailers(grpc::parse_trailers(list.fields(), limits()), list);
  }
  if (plain == PlainBlock::headers && !event.end_stream) return on_response();
  grpc::ResponseHead head = grpc::parse_response_head(list.fields(), event.end_stream, limits());
  switch (head.kind) {
    case grpc::ResponseHead::Kind::interim:
      return;
    case grpc::ResponseHead::Kind::refused:
      return reject(std::move(head.status));
    case grpc::ResponseHead::Kind::ended:
      return on_trailers(std::move(head.status), list);
    case grpc::ResponseHead::Kind::begun:
      break;
  }
  Result<Metadata> headers = grpc::parse_metadata(list.fields(), limits());
  if (!headers) return reject(std::move(headers).error());
  headers_ = *std::move(headers);
  if (!headers_.empty()) {
    connection_->commands()->keeps_of_headers(messages_.stream(), grpc::list_size(headers_));
  }
  const bool is_plain = grpc::is_plain_encoding(head.encoding);
  if (!is_plain) take_encoding(head.encoding);
  if (is_plain && headers_.empty()) connection_->note_plain_block(list, PlainBlock::headers);
  on_response();
}

void Attempt::take_encoding(std::string_view encoding) {
  if (const Codec* const codec = observer_->codecs().find(encoding)) {
    messages_.in().inflate_with(*codec);
  } else {
    messages_.in().refuse_compressed(
        grpc::unknown_reply_encoding(encoding, observer_->codecs().accepted()));
  }
}

void Attempt::on_response() {
  headers_came_ = true;
  observer_->on_headers();
}

/// OK only counts with metadata that can be read.
void Attempt::on_trailers(Status status, const http2::HeaderList& list) {
  if (!status.ok()) return finish(Seen::answered, std::move(status));
  Result<Metadata> trailers = grpc::parse_metadata(list.fields(), limits());
  if (!trailers) return finish(Seen::answered, std::move(trailers).error());
  trailers_ = *std::move(trailers);
  if (headers_came_ && trailers_.empty()) {
    connection_->note_plain_block(list, PlainBlock::ok_trailers);
  }
  on_ok();
}

grpc::MetadataLimits Attempt::limits() const noexcept {
  return metadata_limits(connection_->session().limits());
}

void Attempt::on_ok() {
  messages_.in().finish();  // which finds a message that was cut off, if somebody reads
  if (state_ == State::open) finish(Seen::answered, Status());
}

void Attempt::on_data(ByteSpan bytes, bool end_stream) {
  messages_.in().arrive(bytes, end_stream);
  if (end_stream) on_end_stream();
  messages_.in().keep_rest();
}

void Attempt::on_direct_data(std::size_t count, bool end_stream) {
  messages_.in().arrive_directly(count, end_stream);
  if (end_stream) on_end_stream();
  messages_.in().keep_rest();
}

void Attempt::on_end_stream() {
  if (state_ == State::open) {
    finish(Seen::perhaps,
           Status(StatusCode::unknown, "the server ended the call without a grpc-status"));
  }
}

void Attempt::on_reset(const http2::ResetEvent& event) {
  if (state_ != State::open) return;
  Outcome outcome = outcome_of_reset(*connection_, event, headers_came_);
  finish(outcome.seen, std::move(outcome.status));
}

void Attempt::on_connection_end(const Status& why, bool is_ours) {
  if (state_ != State::open) return;
  finish(seen_at_loss(*connection_, output_position_, is_ours), why);
}

// ---- the end ------------------------------------------------------------------------------------

/// What the server says is of no use, and so is what still comes.
void Attempt::reject(Status why) {
  if (headers_came_) messages_.in().drop();
  finish(Seen::perhaps, std::move(why));
}

/// Until headers came nothing of it was seen, so that another attempt may take its place.
void Attempt::finish(Seen seen, Status status) {
  if (!status.ok() && !headers_came_ && !messages_.in().has_ended()) {
    state_ = State::idle;
    release_stream();
  } else {
    has_failed_ = !status.ok();
    finish_messages();
  }
  observer_->on_outcome({seen, std::move(status)});
}

void Attempt::cancel() {
  has_failed_ = true;
  messages_.in().drop();
  finish_messages();
}

void Attempt::close() {
  if (state_ != State::idle) return;
  has_failed_ = true;
  finish_messages();
}

void Attempt::finish_messages() {
  state_ = State::ended;
  messages_.out().close();
  messages_.in().finish();
  release_stream();
}

/// A failure is not replaced by what it has cut off.
void Attempt::on_bad_message(Status why) {
  if (!has_failed_) observer_->on_bad_message(std::move(why));
}

void Attempt::release_stream() {
  if (!messages_.is_attached()) return;
  http2::Stream& stream = messages_.stream();
  messages_.detach();
  std::exchange(connection_, nullptr)->release(stream);
}

}  // namespace nearcall::inline v0::detail
