// SPDX-License-Identifier: Apache-2.0
// The steps of a handshake on a loop.
#include "server/pending_handshake.hpp"

#include <utility>

namespace nearcall::inline v0::detail {

PendingHandshake::PendingHandshake(LoopCore& core,
                                   Owner& owner,
                                   std::unique_ptr<Transport> transport,
                                   ConnectionQuota::Place place)
    : core_(&core),
      owner_(&owner),
      transport_(std::move(transport)),
      place_(std::move(place)),
      timer_(core, &PendingHandshake::on_timer, this) {
}

PendingHandshake::~PendingHandshake() {
  place_.leave();
  unwatch();
}

void PendingHandshake::begin(TimePoint deadline) {
  place_.settle(*core_, give_way_);
  timer_.set(deadline);
  wait();
}

std::unique_ptr<Transport> PendingHandshake::take_transport() noexcept {
  unwatch();
  return std::move(transport_);
}

void PendingHandshake::on_fd_events(std::uint32_t /*epoll_events*/) {
  step();
}

void PendingHandshake::on_timer(void* self) noexcept {
  auto& handshake = *static_cast<PendingHandshake*>(self);
  handshake.owner_->on_handshake_end(handshake, std::make_error_code(std::errc::timed_out));
}

void PendingHandshake::step() {
  const Result<Handshake, std::error_code> moved = transport_->handshake();
  if (!moved) return owner_->on_handshake_end(*this, moved.error());
  if (*moved == Handshake::done) return owner_->on_handshake_end(*this, {});
  wait();
}

/// Registers anew each time: handshakes are short, and each step may wait for something else.
void PendingHandshake::wait() {
  unwatch();
  const WaitAdvice advice = transport_->prepare_wait(Interest::read);
  // The events of poll(2) and of epoll(7) are the same bits.
  const auto events = static_cast<std::uint16_t>(advice.events());
  if (!advice.is_ready() && !core_->add(advice.fd(), events, *this)) {
    watched_fd_ = advice.fd();
  } else if (!step_on_.is_linked()) {
    core_->schedule_next_turn(step_on_);
  }
}

void PendingHandshake::unwatch() noexcept {
  if (watched_fd_ >= 0) core_->remove(std::exchange(watched_fd_, -1), *this);
}

}  // namespace nearcall::inline v0::detail
