// SPDX-License-Identifier: Apache-2.0
// A side's patience with silence.
#include "connection/keep_alive.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail {

KeepAlive::Action KeepAlive::resume(TimePoint now, TimePoint heard_at, bool has_calls) noexcept {
  if (now < next_look(has_calls)) return Action::wait;
  is_dormant_ = false;
  if (is_asked() && heard_at < asked_at_) {
    const TimePoint lost_at = deadline_after(asked_at_, options_.timeout);
    if (now >= lost_at) return Action::close;
    look_at_ = lost_at;
    return Action::wait;
  }
  asked_at_ = no_deadline;
  look_at_ = deadline_after(heard_at, options_.time);
  if (now < look_at_) return Action::wait;
  if (!has_calls && !options_.without_calls) {
    is_dormant_ = true;
    return Action::wait;
  }
  asked_at_ = now;
  look_at_ = deadline_after(now, std::min(options_.time, options_.timeout));
  return Action::ping;
}

}  // namespace nearcall::inline v0::detail
