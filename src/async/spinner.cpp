// SPDX-License-Identifier: Apache-2.0
// The rules by which the budget grows and collapses.
#include "async/spinner.hpp"

#include <sched.h>

#include <algorithm>

namespace nearcall::inline v0::detail {

unsigned usable_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  // More processors than the set has room for: certainly more than one.
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 2;
  return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

bool Spinner::begin(TimePoint now) noexcept {
  if (is_off()) return false;
  if (processors_ == 0) processors_ = count_();
  if (processors_ == 1 || now < pause_end_) return false;
  if (skips_left_ > 0) {
    --skips_left_;
    return false;
  }
  last_poll_ = now;
  until_ = now + budget_;
  return true;
}

bool Spinner::keep_on(TimePoint now) noexcept {
  poll_took_ = now - last_poll_;
  last_poll_ = now;
  if (poll_took_ > descheduled_after) {
    back_off(now);
    return false;
  }
  if (now < until_) return true;
  budget_ = std::max(budget_ / 2, max_ / 8);
  if (++fruitless_ >= max_fruitless) collapse();
  return false;
}

void Spinner::paid() noexcept {
  budget_ = std::min(budget_ * 2, max_);
  fruitless_ = 0;
  next_skips_ = first_skips;
}

void Spinner::slept(Duration duration) noexcept {
  if (duration < 2 * max_) skips_left_ -= std::min(skips_left_, skips_per_short_sleep - 1);
}

void Spinner::back_off(TimePoint now) noexcept {
  const bool is_remembered = now - pause_end_ < pauses_remembered * pause_;
  pause_ = is_remembered ? std::min(2 * pause_, longest_pause) : first_pause;
  pause_end_ = now + pause_;
}

void Spinner::collapse() noexcept {
  skips_left_ = next_skips_;
  next_skips_ = std::min(next_skips_ * 2, max_skips);
  fruitless_ = max_fruitless - 1;  // the probe afterwards has one try, with the whole budget
  budget_ = max_;
}

}  // namespace nearcall::inline v0::detail
