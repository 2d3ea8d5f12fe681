// SPDX-License-Identifier: Apache-2.0
// The handshake of WakeEvent.
#include "transport/wake_event.hpp"

#include "async/loop_core.hpp"

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace nearcall::inline v0::detail {

WakeEvent::WakeEvent(UniqueFd fd) noexcept : fd_(std::move(fd)) {
}

void WakeEvent::announce() noexcept {
  loop_.store(EventLoop::running(), std::memory_order_relaxed);
  State expected = State::awake;
  // If it is signalled, the descriptor is readable or will be: the sleep ends by itself.
  state_.compare_exchange_strong(expected, State::announced);
}

void WakeEvent::consume() noexcept {
  if (state_.load(std::memory_order_relaxed) == State::awake) return;
  State expected = State::announced;
  if (state_.compare_exchange_strong(expected, State::awake)) return;
  std::uint64_t count = 0;
  // A waker that has set the state may not have written yet. Then the readiness is still to come,
  // and the state stays, so that the next round takes it away.
  if (::read(fd_.get(), &count, sizeof count) == sizeof count) state_.store(State::awake);
}

void WakeEvent::signal() noexcept {
  State expected = State::announced;
  if (state_.load() != State::announced) return;
  if (!state_.compare_exchange_strong(expected, State::signalled)) return;
  if (tell_loop()) return state_.store(State::awake);
  const std::uint64_t one = 1;
  while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

bool WakeEvent::tell_loop() noexcept {
  EventLoop* const here = EventLoop::running();
  if (here == nullptr || here != loop_.load(std::memory_order_relaxed)) return false;
  return Access::core(*here).tell(fd_.get());
}

}  // namespace nearcall::inline v0::detail
