// SPDX-License-Identifier: Apache-2.0
// A server's patience with connections.
#include "server/connection_age.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

/// Between nine and eleven tenths of it, so that connections that began together do not all come
/// again together.
Duration spread(Duration age, double chance) noexcept {
  if (age == Duration::max()) return age;
  const Duration tenth = age / 10;
  const Duration least = age - tenth;
  const Duration more(static_cast<Duration::rep>(2 * chance * static_cast<double>(tenth.count())));
  return more > Duration::max() - least ? Duration::max() : least + more;
}

}  // namespace

ConnectionAge::ConnectionAge(const Options& options, double chance, TimePoint now) noexcept
    : options_(options),
      old_at_(deadline_after(now, spread(options.max_age, chance))),
      look_at_(std::min(old_at_, deadline_after(now, options.max_idle))) {
}

ConnectionAge::Action ConnectionAge::resume(TimePoint now,
                                            std::optional<TimePoint> idle_since) noexcept {
  if (now < look_at_) return Action::wait;
  if (state_ == State::old) {
    look_at_ = no_deadline;
    return Action::close;
  }
  if (now >= old_at_) {
    state_ = State::old;
    look_at_ = deadline_after(now, options_.grace);
    return Action::drain_old;
  }
  const TimePoint idle_at = deadline_after(idle_since.value_or(now), options_.max_idle);
  if (now >= idle_at) {
    state_ = State::idle;
    look_at_ = old_at_;
    return Action::drain_idle;
  }
  look_at_ = std::min(old_at_, idle_at);
  return Action::wait;
}

}  // namespace nearcall::inline v0::detail
