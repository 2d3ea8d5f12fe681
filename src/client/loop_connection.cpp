// SPDX-License-Identifier: Apache-2.0
// Connecting on a loop, calls that wait for room, and the end.
#include "client/loop_connection.hpp"

#include "client/async_call.hpp"
#include "client/channel_core.hpp"

#include <exception>
#include <utility>

namespace nearcall::detail {

LoopConnection::LoopConnection(ChannelCore& channel, EventLoop& loop)
    : channel_(&channel),
      loop_(&loop),
      anchor_(new Anchor(*this)),
      connect_timer_(loop.core(), &LoopConnection::on_connect_late, this) {
  loop.core().adopt(*anchor_);
}

void LoopConnection::dispose(std::shared_ptr<LoopConnection> connection) {
  if (connection->anchor_ == nullptr || connection->loop_->is_in_this_thread()) return;
  EventLoop& loop = *connection->loop_;
  loop.post([kept = std::move(connection)] {});
}

LoopConnection::~LoopConnection() {
  if (anchor_ != nullptr) {
    anchor_->detach();
    delete anchor_;
  }
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
  anchor_ = nullptr;
  fail_waiting(Status(StatusCode::cancelled, "the EventLoop of the call went"));
  connecting_ = {};
  connect_timer_.clear();
  open_waiting_.unlink();
  if (client_) client_->pump().end(EndReason::cancelled, "the EventLoop went");
  phase_ = Phase::closing;
}

void LoopConnection::submit(AsyncCall& call) {
  waiting_.push_back(call);
  if (phase_ == Phase::idle) return connect();
  if (phase_ == Phase::connected) open_waiting();
}

void LoopConnection::connect() {
  phase_ = Phase::connecting;
  const TimePoint deadline = channel_->connect_deadline(no_deadline);
  connect_timer_.set(deadline);
  connecting_ = channel_->connector().connect(
      ConnectContext(channel_->target(), deadline, abandon_.get_token()));
  start(connecting_, &LoopConnection::on_connect_done, this);
}

void LoopConnection::on_connect_late(void* self) noexcept {
  auto& connection = *static_cast<LoopConnection*>(self);
  connection.connecting_ = {};
  connection.phase_ = Phase::closing;
  connection.fail_waiting(
      Status(StatusCode::unavailable,
             connection.channel_->target() + ": the attempt to connect took too long"));
}

void LoopConnection::on_connect_done(void* self) noexcept {
  static_cast<LoopConnection*>(self)->finish_connect();
}

void LoopConnection::finish_connect() {
  connect_timer_.clear();
  Status failed;
  try {
    Result<std::unique_ptr<Connection>> transport = take_result(connecting_);
    if (transport) {
      client_.emplace(*std::move(transport), channel_->target(), *this);
    } else {
      failed = std::move(transport).error();
    }
  } catch (const std::exception& error) {
    failed = Status(StatusCode::unavailable,
                    channel_->target() + ": the connector threw: " + error.what());
  } catch (...) {
    failed = Status(StatusCode::unavailable, channel_->target() + ": the connector threw");
  }
  if (!failed.ok()) {
    phase_ = Phase::closing;
    return fail_waiting(failed);
  }
  phase_ = Phase::connected;
  driver_.emplace(loop_->core(), client_->pump());
  driver_->start();
  open_waiting();
}

void LoopConnection::fail_waiting(const Status& why) {
  const std::shared_ptr<LoopConnection> alive = weak_from_this().lock();
  while (AsyncCall* const call = waiting_.pop_front())
    call->on_unprocessed(why);
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
        break;
    }
    fail_waiting(client_->lost_status());
  }
}

void LoopConnection::on_output() {
  if (driver_ && !client_->pump().has_ended()) driver_->request_flush();
}

void LoopConnection::on_room() {
  if (!waiting_.empty() && !open_waiting_.is_linked()) loop_->core().schedule(open_waiting_);
}

void LoopConnection::on_closing() {
  phase_ = Phase::closing;
  if (client_->pump().has_ended() && driver_) driver_->stop();
  if (!waiting_.empty()) fail_waiting(client_->lost_status());
}

}  // namespace nearcall::detail
