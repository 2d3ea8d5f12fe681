// SPDX-License-Identifier: Apache-2.0
// Events of a client's connection, to its calls.
#include "client/client_connection.hpp"

#include <utility>

namespace nearcall::detail {

ClientConnection::ClientConnection(std::unique_ptr<Transport> transport,
                                   std::string target,
                                   const ConnectionLimits& limits,
                                   ClientDriver& driver,
                                   TimePoint now)
    : target_(std::move(target)),
      driver_(&driver),
      pump_(std::move(transport), http2::Role::client, {.limits = limits}, *this, now) {
}

http2::Session::OpenState ClientConnection::open_state() const noexcept {
  return pump_.has_ended() ? http2::Session::OpenState::closed : pump_.session().open_state();
}

Status ClientConnection::lost_status() const {
  std::string message = target_ + ": the connection is gone: ";
  message += end_text_.empty() ? std::string(to_string(pump_.end_reason())) : end_text_;
  return Status(StatusCode::unavailable, std::move(message));
}

void ClientConnection::release(http2::Stream& stream) {
  pump_.session().release(stream);
  if (pump_.has_ended()) return;
  driver_->on_output();
  driver_->on_room();
}

void ClientConnection::on_event(const http2::Event& event) {
  MessageStream* const messages =
      event.stream != nullptr ? MessageStream::of(*event.stream) : nullptr;
  ClientCall* const call =
      messages != nullptr ? static_cast<ClientCall*>(&messages->owner()) : nullptr;
  switch (event.kind) {
    case http2::Event::Kind::headers:
      if (call == nullptr) return;
      call->on_headers(event);
      if (event.end_stream && !call->is_over()) call->messages().on_data({}, /*end_stream=*/true);
      return;
    case http2::Event::Kind::reset:
      if (call != nullptr) call->on_reset(event);
      return;
    case http2::Event::Kind::settings:
      driver_->on_room();
      return;
    case http2::Event::Kind::goaway:
      end_text_ = "the server said GOAWAY";
      if (!event.data.empty()) end_text_.append(": ").append(as_text(event.data));
      driver_->on_closing();
      return;
    default:
      return;
  }
}

void ClientConnection::on_end(EndReason reason, std::string_view what) {
  if (end_text_.empty()) end_text_ = what;
  const Status lost = lost_status();
  const bool is_ours = reason == EndReason::cancelled;
  pump_.session().for_each_stream([&lost, is_ours](http2::Stream& stream) {
    MessageStream* const messages = MessageStream::of(stream);
    if (messages == nullptr) return;
    auto& call = static_cast<ClientCall&>(messages->owner());
    if (!is_ours && call.is_unsent()) {
      call.on_not_begun(lost);
    } else {
      call.on_lost(lost);
    }
  });
  driver_->on_closing();
}

}  // namespace nearcall::detail
