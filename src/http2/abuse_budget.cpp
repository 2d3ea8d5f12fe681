// SPDX-License-Identifier: Apache-2.0
// AbuseBudget: the verdicts.
#include "http2/abuse_budget.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::inline v0::detail::http2 {
namespace {

Failure<Violation> too_much(std::string_view what) {
  return connection_error(ErrorCode::enhance_your_calm, what);
}

}  // namespace

AbuseBudget::Verdict AbuseBudget::stream_reset() {
  if (++resets_outstanding_ <= limits_.max_resets_outstanding) return {};
  return too_much("too many reset streams (max_resets_outstanding)");
}

AbuseBudget::Verdict AbuseBudget::stream_refused(TimePoint now) {
  if (refusals_left_ == 0) {
    // Whole seconds only: what is left of one counts for the next refill.
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - refilled_);
    if (seconds.count() > 0) {
      const auto earned = static_cast<std::uint64_t>(seconds.count()) * limits_.refusals_per_second;
      refusals_left_ =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(earned, limits_.max_refusals));
      refilled_ += seconds;
    }
  }
  if (refusals_left_ == 0) return too_much("too many refused streams (max_refusals)");
  --refusals_left_;
  return {};
}

AbuseBudget::Verdict AbuseBudget::tiny_data(std::size_t payload) {
  if (payload == 0 && ++empty_data_ > limits_.max_empty_data) {
    return too_much("too many empty DATA frames (max_empty_data)");
  }
  return overhead_frame();
}

AbuseBudget::Verdict AbuseBudget::overhead_frame() {
  if (++overhead_ <= limits_.max_overhead_frames) return {};
  return too_much("too many frames without use (max_overhead_frames)");
}

AbuseBudget::Verdict AbuseBudget::ping(TimePoint now, bool has_calls) {
  constexpr std::uint32_t max_early_pings = 2;  // MAX_PING_STRIKES of gRFC A8
  const Duration interval =
      has_calls ? limits_.min_ping_interval : limits_.min_ping_interval_without_calls;
  // A client whose interval is the same, and whose PINGs take a different time each, is in time.
  const bool is_early = now < deadline_after(last_ping_, interval - interval / 10);
  if (std::exchange(has_served_, false)) {
    early_pings_ = 0;
  } else if (is_early) {
    if (++early_pings_ <= max_early_pings) return {};
    return too_much("too_many_pings");  // clients know these bytes
  }
  last_ping_ = now;
  return {};
}

AbuseBudget::Verdict AbuseBudget::induced_frame(std::uint64_t sent, std::uint64_t appended) {
  if (sent > induced_last_) induced_earlier_ = induced_recent_ = 0;
  induced_last_ = appended;
  if (sent >= induced_mark_) {
    induced_earlier_ = std::exchange(induced_recent_, 0);
    induced_mark_ = appended;
  }
  ++induced_recent_;
  if (induced_earlier_ + induced_recent_ <= limits_.max_induced_frames_ever) return {};
  return too_much("too many frames to answer (max_induced_frames_ever)");
}

}  // namespace nearcall::inline v0::detail::http2
