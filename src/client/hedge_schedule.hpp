// SPDX-License-Identifier: Apache-2.0
// HedgeSchedule: when a call with a hedgingPolicy sends its next attempt.
#pragma once

#include "base/clock.hpp"
#include "client/retry_schedule.hpp"
#include "client/retry_throttle.hpp"
#include "client/service_config.hpp"

#include <nearcall/status.hpp>

namespace nearcall::inline v0::detail {

/// When a call with a hedgingPolicy sends its next attempt (gRFC A6), as long as nobody has
/// answered it: `hedgingDelay` after the last one, or at once, or when the server says, after one
/// that failed with a non-fatal code.
///
///     beginning ──on_begun()──► waiting ──begin_next()──► beginning …
///                                  └──(the last one, never, throttled)──► done
///
/// No I/O, and no clock: what decides comes in as an argument. Thread safety: none.
class HedgeSchedule {
 public:
  /// `throttle` is null where there is none. Both outlive it. The first attempt is beginning.
  HedgeSchedule(const HedgingRules& rules, RetryThrottle* throttle) noexcept
      : rules_(&rules), throttle_(throttle) {}

  /// The one that was beginning is sent.
  void on_begun(TimePoint now) noexcept;
  /// The server did not begin one that was sent, which does not count (A6, "Transparent Retries"):
  /// another one takes its place `at` that time, whatever the throttle says.
  void on_unprocessed(TimePoint at) noexcept;
  /// The same of the one that is beginning.
  void on_unsent(TimePoint at) noexcept;
  /// The one that is beginning will not be sent, and counts: it could not be connected.
  void on_unconnected() noexcept;
  /// One has failed. Whether that ends the call, with the others: its code is fatal.
  bool on_failed(const Status& status, const Pushback& pushback, TimePoint now) noexcept;
  /// An attempt that is all the call has left has ended so.
  void count(const Status& status, const Pushback& pushback) noexcept;
  /// When the next attempt is due; no_deadline: not before something else happens, or never.
  TimePoint next() const noexcept { return next_; }
  /// A time of next() has come: whether one is to be sent, which is none if they are throttled, or
  /// another one is beginning.
  bool begin_next() noexcept;
  /// Nothing else is under way: the next one is beginning, and is to be sent then.
  TimePoint take_next() noexcept;
  /// It cannot be sent now, for want of room.
  void put_off(TimePoint now) noexcept;
  /// One is about to be sent, and waits for a connection, or for room.
  bool is_beginning() const noexcept { return is_beginning_; }
  /// No more are sent.
  void stop() noexcept;
  /// How many were sent, as `grpc-previous-rpc-attempts` says it of the next one.
  int begun() const noexcept { return begun_; }

 private:
  bool may_count(const Status& status) const noexcept {
    return rules_->non_fatal.contains(status.code());
  }

  const HedgingRules* rules_;
  RetryThrottle* throttle_;
  int begun_ = 0;
  bool is_beginning_ = true;
  bool is_stopped_ = false;
  /// The next one takes the place of another.
  bool is_transparent_ = false;
  TimePoint next_ = no_deadline;
};

}  // namespace nearcall::inline v0::detail
