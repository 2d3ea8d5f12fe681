// SPDX-License-Identifier: Apache-2.0
// A hedge's way from its headers to the first word of its answer.
#include "client/hedge.hpp"

#include "connection/metadata_limits.hpp"
#include "grpc/response_head.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

void Hedge::open(ClientConnection& connection,
                 const http2::HeaderTemplate& head,
                 std::span<const http2::HeaderField> fields,
                 std::uint64_t number) {
  number_ = number;
  const SessionCommands session = connection.commands();
  connection_ = &connection;
  state_ = State::open;
  output_position_ = session->output_position();
  stream_ = &session->open_stream(head, fields, /*end_stream=*/false, as_context());
}

void Hedge::send(ByteSpan messages, bool end_stream) {
  connection_->commands()->send_data(*stream_, OwnedBytes::copy_of(messages), end_stream);
}

void Hedge::end_stream() {
  connection_->commands()->end_stream(*stream_);
}

void Hedge::give_to(Attempt& attempt, LoopCore* loop) {
  state_ = State::idle;
  http2::Stream& stream = *std::exchange(stream_, nullptr);
  attempt.take_over(*std::exchange(connection_, nullptr), stream, output_position_, loop);
}

/// While a connection ends each of its streams is told, and may not go before.
void Hedge::cancel() {
  if (state_ != State::open) return;
  if (connection_->pump().has_ended()) {
    state_ = State::cancelled;
  } else {
    release_stream();
  }
}

// ---- what comes ---------------------------------------------------------------------------------

void Hedge::on_headers(const http2::HeadersEvent& event) {
  if (state_ != State::open) return;
  using Kind = grpc::ResponseHead::Kind;
  grpc::ResponseHead head = grpc::parse_response_head(
      event.list->fields(), event.end_stream, metadata_limits(connection_->session().limits()));
  switch (head.kind) {
    case Kind::interim:
      return;
    case Kind::refused:
      return finish({Seen::perhaps, std::move(head.status)});
    case Kind::ended:
      if (!head.status.ok()) return finish({Seen::answered, std::move(head.status)});
      break;
    case Kind::begun:
      break;
  }
  owner_->on_answer(*this, event);
}

/// Without headers, which the session does not let pass.
void Hedge::on_data(ByteSpan bytes, bool /*end_stream*/) {
  if (stream_ != nullptr) connection_->commands()->consumed(*stream_, bytes.size());
}

void Hedge::on_direct_data(std::size_t count, bool /*end_stream*/) {
  if (stream_ != nullptr) connection_->commands()->consumed(*stream_, count);
}

void Hedge::on_reset(const http2::ResetEvent& event) {
  if (state_ != State::open) return;
  finish(outcome_of_reset(*connection_, event, /*has_headers=*/false));
}

void Hedge::on_connection_end(const Status& why, bool is_ours) {
  if (state_ == State::cancelled) return release_stream();
  if (state_ != State::open) return;
  finish({seen_at_loss(*connection_, output_position_, is_ours), why});
}

// ---- the end ------------------------------------------------------------------------------------

void Hedge::finish(Outcome outcome) {
  release_stream();
  owner_->on_failure(*this, std::move(outcome));
}

void Hedge::release_stream() {
  state_ = State::idle;
  if (http2::Stream* const stream = std::exchange(stream_, nullptr))
    std::exchange(connection_, nullptr)->release(*stream);
}

}  // namespace nearcall::inline v0::detail
