// SPDX-License-Identifier: Apache-2.0
// Connecting on a loop, calls that wait for room, and the end.
#include "client/loop_connection.hpp"

#include "client/async_call.hpp"
#include "client/channel_core.hpp"
#include "client/connect_attempt.hpp"

#include <utility>

namespace nearcall::detail {

LoopConnection::LoopConnection(ChannelCore& channel, EventLoop& loop)
    : channel_(channel.weak_from_this()),
      target_(channel.target()),
      limits_(channel.limits()),
      loop_(&loop),
      gate_(std::make_shared<Gate>(loop)),
      anchor_(new Anchor(*this)),
      connect_timer_(loop.core(), &LoopConnection::on_connect_late, this) {
  loop.core().adopt(*anchor_);
}

void LoopConnection::dispose(std::shared_ptr<LoopConnection> connection) {
  const std::shared_ptr<Gate> gate = connection->gate_;
  const std::lock_guard lock(gate->mutex);
  if (gate->loop == nullptr || gate->loop->is_in_this_thread()) return;
  gate->loop->post([kept = std::move(connection)] {});
}

LoopConnection::~LoopConnection() {
  if (anchor_ != nullptr) {
    anchor_->detach();
    delete anchor_;
  }
  give_up_attempt();
  if (client_ && !client_->pump().has_ended()) {
    client_->pump().end(EndReason::cancelled, "the channel closed it");
  }
}

LoopConnection::Anchor::~Anchor() {
  unlink();
  if (connection_ != nullptr) connection_->on_loop_gone();
}

/// The loop is being destroyed: everything here that is on it has to leave.
void LoopConnection::on_loop_gone() noexcept {
  const std::shared_ptr<LoopConnection> alive = weak_from_this().lock();
  anchor_ = nullptr;
  gate_->shut();
  give_up_attempt();
  phase_ = Phase::closing;
  const Status gone(StatusCode::cancelled, "the EventLoop of the call went");
  fail(waiting_, gone);
  fail(repeated_, gone);
  go_on_.unlink();
  if (client_) client_->pump().end(EndReason::cancelled, "the EventLoop went");
  driver_.reset();
  if (const std::shared_ptr<ChannelCore> channel = channel_.lock()) {
    channel->forget(*loop_, *this);
  }
}

// ---- connecting ---------------------------------------------------------------------------------

void LoopConnection::connect(const ChannelCore& channel) {
  phase_ = Phase::connecting;
  abandon_ = std::stop_source();
  const TimePoint deadline = channel.connect_deadline(no_deadline);
  connect_timer_.set(deadline);
  connecting_ =
      try_connect(channel.connector(), ConnectContext(target_, deadline, abandon_.get_token()));
  start(connecting_, &LoopConnection::on_connect_done, this);
}

void LoopConnection::on_connect_late(void* self) noexcept {
  auto& connection = *static_cast<LoopConnection*>(self);
  const std::shared_ptr<LoopConnection> alive = connection.weak_from_this().lock();
  connection.give_up_attempt();
  connection.phase_ = Phase::closing;
  fail(connection.waiting_, Status(StatusCode::unavailable,
                                   connection.target_ + ": the attempt to connect took too long"));
}

void LoopConnection::on_connect_done(void* self) noexcept {
  static_cast<LoopConnection*>(self)->finish_connect();
}

void LoopConnection::finish_connect() {
  if (phase_ != Phase::connecting) return;  // it ended because it was given up
  const std::shared_ptr<LoopConnection> alive = weak_from_this().lock();
  connect_timer_.clear();
  Result<std::unique_ptr<Transport>> transport = take_result(connecting_);
  if (!transport) {
    phase_ = Phase::closing;
    return fail(waiting_, transport.error());
  }
  phase_ = Phase::connected;
  client_.emplace(*std::move(transport), target_, limits_, *this, loop_->core().now());
  driver_.emplace(loop_->core(), client_->pump());
  driver_->start();
  open_waiting();
}

/// Nobody wants it, or it is late: the connector is told, then its task is destroyed where it
/// waits, and with it what it holds.
void LoopConnection::give_up_attempt() {
  if (phase_ != Phase::connecting) return;
  phase_ = Phase::idle;
  connect_timer_.clear();
  abandon_.request_stop();
  connecting_ = {};
}

// ---- calls --------------------------------------------------------------------------------------

void LoopConnection::submit(AsyncCall& call, const ChannelCore& channel) {
  waiting_.push_back(call);
  if (phase_ == Phase::idle) return connect(channel);
  if (phase_ == Phase::connected) open_waiting();
}

void LoopConnection::repeat(AsyncCall& call) {
  repeated_.push_back(call);
  ask_to_go_on();
}

void LoopConnection::on_call_over() {
  if (phase_ == Phase::connecting && waiting_.empty()) ask_to_go_on();
}

void LoopConnection::ask_to_go_on() {
  if (!go_on_.is_linked()) loop_->core().schedule(go_on_);
}

void LoopConnection::go_on() {
  const std::shared_ptr<LoopConnection> alive = weak_from_this().lock();
  while (AsyncCall* const call = repeated_.pop_front())
    call->submit();
  if (phase_ == Phase::connecting && waiting_.empty()) return give_up_attempt();
  open_waiting();
}

void LoopConnection::fail(IntrusiveList<AsyncCall>& calls, const Status& why) {
  while (AsyncCall* const call = calls.pop_front())
    call->call().on_failed(why);
}

void LoopConnection::hand_back_waiting() {
  if (waiting_.empty()) return;
  const Status why = client_->lost_status();
  while (AsyncCall* const call = waiting_.pop_front())
    call->call().on_unsent(why);
}

void LoopConnection::open_waiting() {
  while (phase_ == Phase::connected && !waiting_.empty()) {
    switch (client_->open_state()) {
      case http2::Session::OpenState::ready:
        waiting_.pop_front()->open_on(*client_);
        continue;
      case http2::Session::OpenState::full:
        return;
      case http2::Session::OpenState::closed:
        phase_ = Phase::closing;
        return hand_back_waiting();
    }
  }
}

void LoopConnection::on_output() {
  if (driver_ && !client_->pump().has_ended()) driver_->request_flush();
}

void LoopConnection::on_room() {
  if (!waiting_.empty()) ask_to_go_on();
}

void LoopConnection::on_closing() {
  phase_ = Phase::closing;
  if (client_->pump().has_ended() && driver_) driver_->stop();
  hand_back_waiting();
}

}  // namespace nearcall::detail
