// SPDX-License-Identifier: Apache-2.0
// gRFC A6: the times of hedges.
#include "client/hedge_schedule.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// Between two looks for room, where hedgingDelay is less.
constexpr Duration least_wait_for_room = std::chrono::milliseconds(1);

}  // namespace

void HedgeSchedule::on_begun(TimePoint now) noexcept {
  ++begun_;
  is_beginning_ = false;
  is_transparent_ = false;
  const bool is_last = is_stopped_ || begun_ >= rules_->max_attempts;
  next_ = is_last ? no_deadline : deadline_after(now, rules_->delay);
}

/// One that is beginning goes first: there is one more behind it.
void HedgeSchedule::on_unprocessed(TimePoint at) noexcept {
  --begun_;
  if (is_stopped_ || is_beginning_) return;
  is_transparent_ = true;
  next_ = at;
}

void HedgeSchedule::on_unsent(TimePoint at) noexcept {
  ++begun_;
  is_beginning_ = false;
  on_unprocessed(at);
}

void HedgeSchedule::on_unconnected() noexcept {
  ++begun_;
  is_beginning_ = false;
}

/// A6: a non-fatal code sends the next one at once, pushback after a pause, or never; later ones
/// follow after the usual delay.
bool HedgeSchedule::on_failed(const Status& status,
                              const Pushback& pushback,
                              TimePoint now) noexcept {
  count(status, pushback);
  if (!may_count(status)) {
    stop();
    return true;
  }
  if (pushback.kind == Pushback::Kind::never) stop();
  if (throttle_ != nullptr && !throttle_->allows()) stop();
  if (is_stopped_ || is_beginning_ || begun_ >= rules_->max_attempts) {
    next_ = no_deadline;
  } else {
    next_ = pushback.kind == Pushback::Kind::after ? deadline_after(now, pushback.pause) : now;
  }
  return false;
}

void HedgeSchedule::count(const Status& status, const Pushback& pushback) noexcept {
  const bool is_refused = pushback.kind == Pushback::Kind::never;
  if (throttle_ != nullptr && (may_count(status) || is_refused)) throttle_->on_failure();
}

bool HedgeSchedule::begin_next() noexcept {
  if (std::exchange(next_, no_deadline) == no_deadline) return false;
  if (!is_transparent_ && throttle_ != nullptr && !throttle_->allows()) stop();
  is_beginning_ = !is_stopped_;
  return is_beginning_;
}

TimePoint HedgeSchedule::take_next() noexcept {
  is_beginning_ = true;
  return std::exchange(next_, no_deadline);
}

void HedgeSchedule::put_off(TimePoint now) noexcept {
  is_beginning_ = false;
  next_ = deadline_after(now, std::max(rules_->delay, least_wait_for_room));
}

void HedgeSchedule::stop() noexcept {
  is_stopped_ = true;
  next_ = no_deadline;
}

}  // namespace nearcall::inline v0::detail
