// SPDX-License-Identifier: Apache-2.0
// RetryPolicy: what a call does when an attempt has ended.
#pragma once

#include "base/clock.hpp"
#include "client/transient_failure.hpp"

#include <nearcall/status.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace nearcall::inline v0::detail {

/// What the server may have seen of an attempt that has ended.
enum class Seen : std::uint8_t {
  nothing,   // no byte of it was sent
  refused,   // it was sent, and provably not processed: REFUSED_STREAM, or GOAWAY
  perhaps,   // it may have been processed, in part or whole
  answered,  // the server said how it ended
  ours,      // it was ended from this side
};

/// How an attempt ended. A value.
struct Outcome {
  Seen seen = Seen::perhaps;
  Status status;
};

/// What a call still has of its request when an attempt has ended.
enum class RequestLeft : std::uint8_t {
  whole,      // one message, at hand
  unwritten,  // messages, none of which was taken from the writer yet
  gone,       // messages that were streamed: nobody keeps them
};

/// What a call does when an attempt has ended: ends, or is attempted once more. A call that the
/// server provably did not process is repeated once
/// (docs/decisions/009-where-a-call-is-repeated.md), unless the server serves this user never, or
/// has said nothing for as long as one waits for it (A6, transparent retries).
///
/// One that waits for its server (gRPC's wait-for-ready.md) is repeated as often as connections go
/// that did not take it, after pauses of 1, 2, 4 … 100 ms from the second time on. Where it was
/// sent before GOAWAY that is more than the one time of A6: servers that follow each other lose no
/// call. A connection that lives and refuses it twice is no server that is not there.
///
/// No I/O, and no clock: what decides comes in as an argument. Thread safety: none.
class RetryPolicy {
 public:
  enum class Action : std::uint8_t {
    finish,                  // with the outcome's status
    finish_without_request,  // the same, but for its request it would be repeated
    repeat,                  // now
  };

  explicit RetryPolicy(bool waits_for_ready) noexcept : waits_for_ready_(waits_for_ready) {}

  Action resume(const Outcome& outcome, RequestLeft left) noexcept {
    const bool is_unprocessed = outcome.seen == Seen::nothing || outcome.seen == Seen::refused;
    const StatusReason reason = outcome.status.reason();
    const bool is_hopeless = reason == StatusReason::refused || reason == StatusReason::no_answer;
    const bool is_over = waits_for_ready_ ? !may_pass(outcome.status) || is_refused_again(outcome)
                                          : is_hopeless || has_repeated();
    if (!is_unprocessed || is_over) return Action::finish;
    if (left == RequestLeft::gone) return Action::finish_without_request;
    if (repeats_ < most_counted) ++repeats_;
    return Action::repeat;
  }
  /// Whether the attempt to come is not the first one.
  bool has_repeated() const noexcept { return repeats_ > 0; }
  /// How long the repeat that is wanted has to wait.
  Duration pause() const noexcept {
    if (repeats_ < 2) return Duration::zero();
    return std::min<Duration>(std::chrono::milliseconds(1 << (repeats_ - 2)), longest_pause);
  }

 private:
  static constexpr std::uint8_t most_counted = 10;
  static constexpr Duration longest_pause = std::chrono::milliseconds(100);

  bool is_refused_again(const Outcome& outcome) noexcept {
    const bool lives =
        outcome.seen == Seen::refused && outcome.status.reason() == StatusReason::none;
    return lives && std::exchange(was_refused_, true);
  }

  bool waits_for_ready_;
  bool was_refused_ = false;
  std::uint8_t repeats_ = 0;
};

}  // namespace nearcall::inline v0::detail
