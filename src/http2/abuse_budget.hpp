// SPDX-License-Identifier: Apache-2.0
// AbuseBudget: what the peer did that costs us and brings it nothing, counted against
// ConnectionLimits.
#pragma once

#include "base/clock.hpp"
#include "http2/violation.hpp"

#include <nearcall/connection_limits.hpp>
#include <nearcall/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// The counters behind the budgets of ConnectionLimits. Each function says what happened; one that
/// may exceed a budget answers with the violation (ENHANCE_YOUR_CALM, RFC 9113 section 10.5).
///
/// Thread safety: none.
class AbuseBudget {
 public:
  using Verdict = Result<void, Violation>;

  AbuseBudget(const ConnectionLimits& limits, TimePoint now) noexcept
      : limits_(limits), refilled_(now), refusals_left_(limits.max_refusals) {}

  /// A stream that its owner knows ended by a reset, of either side.
  Verdict stream_reset();
  /// The owner released a stream.
  void stream_released(bool was_reset) noexcept {
    if (was_reset && resets_outstanding_ > 0) --resets_outstanding_;
    if (refusals_left_ < limits_.max_refusals) ++refusals_left_;
  }
  /// A request was refused that no owner ever saw.
  Verdict stream_refused(TimePoint now);

  /// A whole DATA frame with that much payload came and did not end its stream. Its effect on the
  /// stream's `was_tiny`.
  bool is_tiny(std::size_t payload) const noexcept { return payload < limits_.tiny_payload; }
  Verdict tiny_data(std::size_t payload);
  void large_data() noexcept { empty_data_ = 0; }
  /// The last tiny DATA frame completed a message after all.
  void forgive_tiny() noexcept {
    empty_data_ = 0;
    if (overhead_ > 0) --overhead_;
  }
  /// Some other frame that is not worth its header.
  Verdict overhead_frame();
  /// Input of a stream was dropped on which the peer, not knowing, may still send `window` bytes.
  void input_dropped(std::uint32_t window) noexcept {
    late_left_ = std::min(late_left_ + window + late_frames_besides,
                          std::uint64_t{limits_.max_buffered_input} + late_frames_besides);
  }
  /// DATA with that much payload, or a header block (0), came for a stream that was released. Free
  /// as far as it may have been on its way then.
  Verdict late_frame(std::size_t payload) noexcept {
    const std::uint64_t cost = std::max<std::uint64_t>(payload, 1);
    if (cost <= late_left_) {
      late_left_ -= cost;
      return {};
    }
    return is_tiny(payload) ? overhead_frame() : Verdict();
  }
  /// The owner consumed bytes.
  void useful(std::size_t bytes) noexcept {
    if (overhead_ == 0) return;
    useful_bytes_ += bytes;
    const std::size_t paid = useful_bytes_ / limits_.tiny_payload;
    useful_bytes_ %= limits_.tiny_payload;
    overhead_ -= paid < overhead_ ? static_cast<std::uint32_t>(paid) : overhead_;
  }

  /// The peer makes us write a frame; the positions of the output are those before it.
  Verdict induced_frame(std::uint64_t sent, std::uint64_t appended);
  /// How many of them have not been sent, or a few more.
  std::uint32_t induced_frames(std::uint64_t sent) const noexcept {
    if (sent > induced_last_) return 0;
    return sent >= induced_mark_ ? induced_recent_ : induced_earlier_ + induced_recent_;
  }

  /// Output of a call went.
  void served() noexcept { has_served_ = true; }
  /// The peer, a client, sent PING: free where a call of its was served since the last one, else
  /// once an interval; `has_calls` says which (gRFC A8).
  Verdict ping(TimePoint now, bool has_calls);

  std::uint32_t resets_outstanding() const noexcept { return resets_outstanding_; }
  std::uint32_t refusals_left() const noexcept { return refusals_left_; }
  std::uint32_t empty_data() const noexcept { return empty_data_; }
  std::uint32_t overhead_frames() const noexcept { return overhead_; }

 private:
  const ConnectionLimits& limits_;
  TimePoint refilled_;
  std::uint32_t refusals_left_;
  std::uint32_t resets_outstanding_ = 0;
  std::uint32_t empty_data_ = 0;
  std::uint32_t overhead_ = 0;
  std::size_t useful_bytes_ = 0;
  /// Late bytes, and late frames without any, that are free. Besides its DATA each stream may bring
  /// its response, its trailers and a few empty frames.
  static constexpr std::uint64_t late_frames_besides = 8;
  std::uint64_t late_left_ = 0;
  /// Induced frames before and behind a place in the output.
  std::uint32_t induced_earlier_ = 0;
  std::uint32_t induced_recent_ = 0;
  std::uint64_t induced_mark_ = 0;
  /// Where the last one begins.
  std::uint64_t induced_last_ = 0;
  /// Of PINGs: the last one that came in time, and how many came too early since.
  TimePoint last_ping_{};
  std::uint32_t early_pings_ = 0;
  bool has_served_ = true;
};

}  // namespace nearcall::inline v0::detail::http2
