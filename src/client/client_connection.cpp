// SPDX-License-Identifier: Apache-2.0
// Events of a client's connection, to its streams.
#include "client/client_connection.hpp"

#include "base/log.hpp"
#include "base/quote.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

ClientConnection::ClientConnection(std::unique_ptr<Transport> transport,
                                   std::string target,
                                   const ConnectionLimits& limits,
                                   ClientDriver& driver,
                                   ConnectionCounters& counters,
                                   TimePoint now)
    : target_(std::move(target)),
      driver_(&driver),
      counters_(&counters),
      pump_(std::move(transport),
            http2::Role::client,
            {.limits = std::make_shared<ConnectionLimits>(limits)},
            *this,
            now) {
  observed_ = counters.note_begun(pump_.peer());
}

http2::Session::OpenState ClientConnection::open_state() const noexcept {
  return pump_.has_ended() ? http2::Session::OpenState::closed : pump_.session().open_state();
}

Status ClientConnection::lost_status() const {
  std::string message = target_ + ": the connection is gone: ";
  message += end_text_.empty() ? std::string(to_string(pump_.end_reason())) : end_text_;
  if (is_refused()) {
    return Status(StatusCode::permission_denied, target_ + ": " + end_text_)
        .with_reason(StatusReason::refused);
  }
  return Status(StatusCode::unavailable, std::move(message)).with_reason(lost_reason());
}

StatusReason ClientConnection::lost_reason() const noexcept {
  if (pump_.end_reason() == EndReason::silent) return StatusReason::no_answer;
  const bool is_violation = pump_.end_reason() == EndReason::protocol_violation;
  if (is_violation && !has_settings()) {
    const bool is_silent = pump_.violation() == http2::ErrorCode::settings_timeout;
    return is_silent ? StatusReason::no_answer : StatusReason::not_grpc;
  }
  if (is_violation || !goaway_) return StatusReason::connection_lost;
  switch (*goaway_) {
    case http2::ErrorCode::no_error:
      return StatusReason::server_stopping;
    case http2::ErrorCode::enhance_your_calm:
      return StatusReason::limit;
    default:
      return StatusReason::connection_lost;
  }
}

void ClientConnection::release(http2::Stream& stream) {
  commands()->release(stream);
  if (!pump_.has_ended()) driver_->on_room();
}

void ClientConnection::on_event(const http2::Event& event) {
  if (std::holds_alternative<http2::SettingsEvent>(event)) {
    driver_->on_room();
  } else if (const auto* const goaway = std::get_if<http2::GoawayEvent>(&event)) {
    on_goaway(*goaway);
  } else if (const auto* const wait = std::get_if<http2::WritersWaitEvent>(&event)) {
    log(LogLevel::warning, target_, ": ", wait->what);
  }
}

void ClientConnection::on_goaway(const http2::GoawayEvent& event) {
  end_text_ = "the server said GOAWAY (" + http2::describe(event.code) + ")";
  goaway_ = event.code;
  if (!event.debug.empty()) end_text_.append(": ").append(escaped(as_text(event.debug)));
  const bool is_calm_asked = event.code == http2::ErrorCode::enhance_your_calm;
  if (is_calm_asked && as_text(event.debug) == "too_many_pings") ask_less_often();
  driver_->on_closing();
}

/// gRFC A8.
void ClientConnection::ask_less_often() {
  const Duration time = pump_.keep_alive().time();
  if (pace_ == nullptr || time == Duration::max() || !pace_->slow_down(time)) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  log(LogLevel::warning, target_, ": the server said too_many_pings: keepalive_time(), now ",
      std::to_string(seconds), " s, is doubled for new connections");
}

/// The newest call first: what their coroutines free lies at the heap's end, as at a server.
void ClientConnection::on_end(EndReason reason, std::string_view what) {
  counters_->note_ended(observed_, pump_.peer(), reason);
  if (end_text_.empty()) {
    end_text_ = what;
  } else if (reason == EndReason::protocol_violation) {
    end_text_.append("; then it broke HTTP/2: ").append(what);
  }
  const Status lost = lost_status();
  const bool is_ours = reason == EndReason::cancelled || is_refused();
  pump_.session().for_each_stream_from_newest([&lost, is_ours](http2::Stream& stream) {
    if (StreamHandler* const call = StreamHandler::of(stream)) {
      call->on_connection_end(lost, is_ours);
    }
  });
  driver_->on_closing();
}

}  // namespace nearcall::inline v0::detail
