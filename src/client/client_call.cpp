// SPDX-License-Identifier: Apache-2.0
// A call's way from its headers to its status.
#include "client/client_call.hpp"

#include "client/client_connection.hpp"
#include "connection/metadata_limits.hpp"
#include "connection/outgoing_fields.hpp"
#include "grpc/request_head.hpp"
#include "grpc/response_head.hpp"
#include "grpc/status_codec.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace nearcall::detail {
namespace {

Status too_large(std::size_t list_size, std::size_t most) {
  return Status(StatusCode::resource_exhausted,
                "the request's headers count " + std::to_string(list_size) +
                    " bytes, more than the " + std::to_string(most) +
                    " that the server takes (SETTINGS_MAX_HEADER_LIST_SIZE)");
}

}  // namespace

ClientCall::ClientCall(const BoundMethod& method,
                       const CallOptions& options,
                       std::size_t max_message_size)
    : method_(&method),
      messages_(*this, options.max_receive_message_size().value_or(max_message_size)),
      timeout_(options.timeout()),
      deadline_(options.deadline()),
      request_metadata_(options.metadata()) {
  if (timeout_) {
    const TimePoint by_timeout = deadline_after(SteadyClock::now(), *timeout_);
    if (by_timeout > deadline_) timeout_.reset();
    deadline_ = std::min(deadline_, by_timeout);
  }
}

ClientCall::~ClientCall() {
  if (state_ == State::open) release_stream();
}

const Metadata& ClientCall::trailers() const noexcept {
  static const Metadata none;
  if (!is_over()) return none;
  return status_.ok() ? trailers_ : status_.trailers();
}

void ClientCall::open(ClientConnection& connection, LoopCore* loop, bool end_stream) {
  OutgoingFields& outgoing = OutgoingFields::fresh();
  std::optional<Duration> timeout = timeout_;
  if (!timeout && deadline_ != no_deadline) timeout = deadline_ - SteadyClock::now();
  if (timeout || !request_metadata_.empty()) {
    grpc::append_request_call(outgoing.block(), timeout, request_metadata_);
  }
  http2::Session& session = connection.session();
  const std::size_t list_size = method_->head.list_size() + outgoing.list_size();
  if (list_size > session.peer_max_header_list_size()) {
    return finish(too_large(list_size, session.peer_max_header_list_size()));
  }
  connection_ = &connection;
  state_ = State::open;
  output_position_ = session.output_position();
  http2::Stream& stream =
      session.open_stream(method_->head, outgoing.fields(), end_stream, &messages_);
  messages_.attach(session, stream, loop);
  if (wants_half_close_) half_close();
  on_output();
}

bool ClientCall::half_close() {
  if (is_over()) return false;
  wants_half_close_ = true;
  if (state_ != State::open) return true;
  messages_.end_output();
  connection_->session().end_stream(messages_.stream());
  on_output();
  return true;
}

// ---- what comes ---------------------------------------------------------------------------------

void ClientCall::on_headers(const http2::Event& event) {
  if (is_over()) return;
  const http2::HeaderList& list = *event.headers;
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
      return finish(std::move(head.status));
    case grpc::ResponseHead::Kind::ended:
      return on_trailers(std::move(head.status), list);
    case grpc::ResponseHead::Kind::begun:
      break;
  }
  Result<Metadata> headers = grpc::parse_metadata(list.fields(), limits());
  if (!headers) return finish(std::move(headers).error());
  headers_ = *std::move(headers);
  if (headers_.empty()) connection_->note_plain_block(list, PlainBlock::headers);
  on_response();
}

void ClientCall::on_response() {
  headers_came_ = true;
  on_change();
}

/// OK only counts with metadata that can be read.
void ClientCall::on_trailers(Status status, const http2::HeaderList& list) {
  if (!status.ok()) return end(std::move(status));
  Result<Metadata> trailers = grpc::parse_metadata(list.fields(), limits());
  if (!trailers) return end(std::move(trailers).error());
  trailers_ = *std::move(trailers);
  if (headers_came_ && trailers_.empty()) {
    connection_->note_plain_block(list, PlainBlock::ok_trailers);
  }
  on_ok();
}

void ClientCall::on_ok() {
  messages_.end_input();  // which finds a message that was cut off, if somebody reads
  if (!is_over()) end(Status());
}

void ClientCall::on_input() {
  if (!is_over() && messages_.has_ended()) {
    end(Status(StatusCode::unknown, "the server ended the call without a grpc-status"));
  }
}

void ClientCall::on_bad_input(Status why) {
  if (is_over() && status_.ok()) {
    status_ = std::move(why);  // the server said OK behind what cannot be read
  } else {
    finish(std::move(why));
  }
}

grpc::MetadataLimits ClientCall::limits() const noexcept {
  return metadata_limits(connection_->session().limits());
}

void ClientCall::on_output() {
  if (connection_ != nullptr) connection_->on_output();
}

void ClientCall::on_reset(const http2::Event& event) {
  if (is_over()) return;
  if (event.unprocessed && !headers_came_) {
    return on_not_begun(Status(StatusCode::unavailable, "the server did not take the call"));
  }
  if (event.local) {
    const bool is_over_a_limit = event.code == http2::ErrorCode::enhance_your_calm;
    return end(is_over_a_limit ? Status(StatusCode::resource_exhausted,
                                        "the server went over a limit: " + std::string(event.what))
                               : Status(StatusCode::internal,
                                        "the server broke HTTP/2: " + std::string(event.what)));
  }
  // The server's clock may be the faster one.
  if (event.code == http2::ErrorCode::cancel && SteadyClock::now() >= deadline_) {
    return end(Status(StatusCode::deadline_exceeded, "the deadline passed"));
  }
  end(grpc::status_from_reset(static_cast<std::uint32_t>(event.code)));
}

void ClientCall::on_lost(const Status& status) {
  if (!is_over()) end(status);
}

bool ClientCall::is_unsent() const noexcept {
  return state_ == State::open && connection_->session().sent_position() <= output_position_;
}

void ClientCall::on_not_begun(const Status& status) {
  if (is_over()) return;
  if (state_ == State::open) {
    state_ = State::idle;
    release_stream();
    connection_ = nullptr;
    timeout_.reset();  // what is left of it is sent the next time
  }
  switch (begin_again()) {
    case Again::yes:
      return;
    case Again::no:
      return end(status);
    case Again::requests_are_gone:
      return end(Status(status.code(), status.message() +
                                           "; it cannot be repeated: requests that are streamed "
                                           "are not kept"));
  }
}

// ---- the end ------------------------------------------------------------------------------------

void ClientCall::finish(Status status) {
  if (is_over()) return;
  messages_.discard_input();
  if (is_over()) return;
  end(std::move(status));
}

void ClientCall::end(Status status) {
  const bool was_open = state_ == State::open;
  state_ = State::over;
  status_ = std::move(status);
  messages_.end_output();
  messages_.end_input();
  if (was_open) release_stream();
  on_change();
}

void ClientCall::release_stream() {
  if (!messages_.is_attached()) return;
  http2::Stream& stream = messages_.stream();
  messages_.detach();
  connection_->release(stream);
}

}  // namespace nearcall::detail
