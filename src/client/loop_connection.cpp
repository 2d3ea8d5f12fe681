// SPDX-License-Identifier: Apache-2.0
// Connecting on a loop, calls that wait for room, and the end.
#include "client/loop_connection.hpp"

#include "client/connect_attempt.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

LoopConnection::LoopConnection(Backend& backend, LoopCore& loop, LoopConnectionOwner& owner)
    : backend_(&backend),
      loop_(&loop),
      owner_(&owner),
      home_(loop),
      connect_timer_(loop, &LoopConnection::on_connect_late, this) {
}

LoopConnection::~LoopConnection() {
  cancel_attempt();
  begin_closing();
  if (client_) client_->pump().close(EndReason::cancelled, "the channel closed it");
}

void LoopConnection::close(const Status& why) {
  cancel_attempt();
  begin_closing();
  fail_waiting(why);
  if (client_) client_->pump().close(EndReason::cancelled, why.message());
  driver_.reset();
}

// ---- connecting ---------------------------------------------------------------------------------

void LoopConnection::connect() {
  phase_ = Phase::connecting;
  backend_->note(Connectivity::Event::attempt);
  attempt_ = std::stop_source();
  const TimePoint deadline = backend_->connect_deadline(loop_->clock().now(), no_deadline);
  connect_timer_.set(deadline);
  connecting_ = try_connect(backend_->connector(),
                            ConnectContext(backend_->target(), deadline, attempt_.get_token()));
  start(connecting_, &LoopConnection::on_connect_done, this, &home_);
}

void LoopConnection::on_connect_late(void* self) noexcept {
  auto& connection = *static_cast<LoopConnection*>(self);
  const Status late = Status(StatusCode::unavailable, connection.backend_->target() +
                                                          ": the attempt to connect took too long")
                          .with_reason(StatusReason::no_answer);
  connection.drop_attempt(Connectivity::Event::failed);
  connection.backend_->counters().note_failed(late);
  connection.begin_closing();
  connection.fail_waiting(late);
}

void LoopConnection::on_connect_done(void* self) noexcept {
  static_cast<LoopConnection*>(self)->finish_connect();
}

void LoopConnection::finish_connect() {
  if (phase_ != Phase::connecting) return;  // it was cancelled
  connect_timer_.clear();
  Result<std::unique_ptr<Transport>> transport = take_result(connecting_);
  if (!transport) {
    backend_->note(Connectivity::Event::failed);
    phase_ = Phase::closing;
    backend_->counters().note_failed(transport.error());
    return fail_waiting(transport.error());
  }
  phase_ = Phase::connected;
  client_.emplace(*std::move(transport), backend_->target(), backend_->limits(), *this,
                  backend_->counters(), loop_->now());
  client_->keep_alive(backend_->keep_alive_pace(), loop_->now());
  driver_.emplace(*loop_, client_->pump());
  driver_->start();
  open_waiting();
}

void LoopConnection::cancel_attempt() {
  if (phase_ == Phase::connecting) return drop_attempt(Connectivity::Event::cancelled);
  if (phase_ != Phase::connected) return;
  backend_->note(Connectivity::Event::cancelled);
  phase_ = Phase::closing;
}

/// Nobody wants it, or it is late: the connector is told, then its task is destroyed where it
/// waits, and with it what it holds.
void LoopConnection::drop_attempt(Connectivity::Event how) {
  backend_->note(how);
  phase_ = Phase::idle;
  connect_timer_.clear();
  attempt_.request_stop();
  home_.await_return();
  connecting_ = {};
}

// ---- calls --------------------------------------------------------------------------------------

void LoopConnection::submit(WaitingCall& call) {
  const bool is_open = phase_ == Phase::ready && !is_awaited() &&
                       client_->open_state() == http2::Session::OpenState::ready;
  if (is_open) return call.open_on(*client_);
  const bool needs_word = call.waits_for() != WaitingCall::For::room && phase_ != Phase::ready;
  (needs_word ? listening_ : waiting_).push_back(call);
  if (phase_ == Phase::idle) return connect();
  if (is_connected()) open_waiting();
}

void LoopConnection::go_on() {
  if (phase_ == Phase::connecting && !is_awaited()) return cancel_attempt();
  open_waiting();
}

WaitingCall* LoopConnection::next_waiting() noexcept {
  WaitingCall* const call = waiting_.pop_front();
  return call != nullptr ? call : listening_.pop_front();
}

void LoopConnection::fail_waiting(const Status& why) {
  while (WaitingCall* const call = next_waiting())
    call->on_failed(why);
}

void LoopConnection::hand_back_waiting() {
  if (!is_awaited()) return;
  const Status why = client_->lost_status();
  while (WaitingCall* const call = next_waiting())
    call->on_unsent(why);
}

/// Not in the event of SETTINGS: a GOAWAY may come with them.
void LoopConnection::open_waiting() {
  if (phase_ == Phase::connected && client_->has_settings()) {
    phase_ = Phase::ready;
    backend_->note(Connectivity::Event::connected);
  }
  while (phase_ == Phase::ready) {
    WaitingCall* const listener = listening_.pop_front();
    if (listener == nullptr) break;
    if (listener->waits_for() == WaitingCall::For::word) {
      listener->open_on(*client_);
    } else {
      waiting_.push_back(*listener);
    }
  }
  open_calls();
}

void LoopConnection::open_calls() {
  while (is_connected() && !waiting_.empty()) {
    switch (client_->open_state()) {
      case http2::Session::OpenState::ready:
        waiting_.pop_front()->open_on(*client_);
        continue;
      case http2::Session::OpenState::full:
        return;
      case http2::Session::OpenState::closed:
        begin_closing();
        return hand_back_waiting();
    }
  }
}

void LoopConnection::on_output() {
  if (driver_) driver_->request_flush();
}

void LoopConnection::on_room() {
  if (phase_ == Phase::connected || is_awaited()) owner_->ask_to_go_on();
}

void LoopConnection::begin_closing() {
  if (phase_ == Phase::connected) backend_->note(Connectivity::Event::failed);
  if (phase_ == Phase::ready) backend_->note(Connectivity::Event::lost);
  phase_ = Phase::closing;
}

void LoopConnection::on_closing() {
  begin_closing();
  if (client_->pump().has_ended() && driver_) driver_->stop();
  hand_back_waiting();
  owner_->ask_to_go_on();
}

}  // namespace nearcall::inline v0::detail
