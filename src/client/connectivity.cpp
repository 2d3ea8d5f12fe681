// SPDX-License-Identifier: Apache-2.0
// What attempts to connect say about a server.
#include "client/connectivity.hpp"

#include <algorithm>

namespace nearcall::inline v0 {

std::string_view to_string(ConnectivityState state) {
  switch (state) {
    case ConnectivityState::idle:
      return "IDLE";
    case ConnectivityState::connecting:
      return "CONNECTING";
    case ConnectivityState::ready:
      return "READY";
    case ConnectivityState::transient_failure:
      return "TRANSIENT_FAILURE";
    case ConnectivityState::shutdown:
      return "SHUTDOWN";
  }
  return "UNKNOWN";
}

namespace detail {
namespace {

/// In a forked child ends what began in its parent, which is not counted here.
void count_down(std::size_t& count) noexcept {
  if (count > 0) --count;
}

}  // namespace

void Connectivity::resume(Event event, TimePoint now, double chance) noexcept {
  switch (event) {
    case Event::attempt:
      ++attempts_;
      attempt_at_ = now;
      return;
    case Event::connected:
      count_down(attempts_);
      ++connections_;
      pause_ = {};
      next_attempt_ = {};
      has_failed_ = false;
      return;
    case Event::failed:
      count_down(attempts_);
      return fail(now, chance);
    case Event::cancelled:
      return count_down(attempts_);
    case Event::lost:
      return count_down(connections_);
    case Event::appeared:
      pause_ = {};
      next_attempt_ = std::max(now, attempt_at_ + backoff_.first);
      return;
  }
}

void Connectivity::fail(TimePoint now, double chance) noexcept {
  has_failed_ = true;
  if (attempt_at_ < next_attempt_) return;
  const auto longer = std::chrono::duration_cast<Duration>(pause_ * backoff_.factor);
  pause_ = std::clamp(longer, backoff_.first, backoff_.longest);
  const double spread = 1 + backoff_.jitter * (2 * chance - 1);
  next_attempt_ =
      std::max(now, attempt_at_ + std::chrono::duration_cast<Duration>(pause_ * spread));
}

Connectivity::State Connectivity::state() const noexcept {
  if (connections_ > 0) return State::ready;
  if (attempts_ > 0) return State::connecting;
  return has_failed_ ? State::transient_failure : State::idle;
}

}  // namespace detail
}  // namespace nearcall::inline v0
