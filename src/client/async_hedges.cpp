// SPDX-License-Identifier: Apache-2.0
// Beginning hedges on a loop.
#include "client/async_hedges.hpp"

#include "client/transient_failure.hpp"

namespace nearcall::inline v0::detail {

void AsyncHedges::begin() {
  if (call_->hedging()->begin_next()) backend_->begin_beside(*this);
}

void AsyncHedges::open_on(ClientConnection& connection) {
  begun_at_.push_back(std::exchange(waits_at_, nullptr));
  call_->open(connection, loop_, loop_->now());
}

void AsyncHedges::on_failed(const Status& why) {
  if (waits_at_ != nullptr && waits_at_->try_elsewhere(*this, why)) return;
  if (!call_->waits_for_ready() || !may_pass(why)) return call_->on_failed(why);
  call_->note_obstacle(why);
  waits_at_->wait(*this);
}

void AsyncHedges::stop() noexcept {
  timer_.clear();
  WaitingCall::unlink();
  if (waits_at_ != nullptr) begun_at_.push_back(std::exchange(waits_at_, nullptr));
  for (LoopBackend* const backend : begun_at_)
    backend->on_call_over();
  begun_at_.clear();
}

}  // namespace nearcall::inline v0::detail
