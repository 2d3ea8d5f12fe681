// SPDX-License-Identifier: Apache-2.0
// RetrySchedule: when a call with a retryPolicy is attempted again.
#pragma once

#include "base/clock.hpp"
#include "client/retry_throttle.hpp"
#include "client/service_config.hpp"

#include <nearcall/metadata.hpp>
#include <nearcall/status.hpp>

#include <cstdint>
#include <optional>

namespace nearcall::inline v0::detail {

/// What a server says of the next attempt (gRFC A6: `grpc-retry-pushback-ms`). A value.
struct Pushback {
  enum class Kind : std::uint8_t { none, never, after };

  Kind kind = Kind::none;
  Duration pause{};

  /// `never` if it says less than zero, or what is no number of 32 bits.
  static Pushback parse(const Metadata& trailers);

  friend bool operator==(const Pushback&, const Pushback&) = default;
};

/// When a call with a retryPolicy is attempted again (gRFC A6): the pause grows from attempt to
/// attempt, varied by a fifth either way, and begins anew after one that the server named.
///
/// No I/O, and no clock: what decides comes in as an argument. Thread safety: none.
class RetrySchedule {
 public:
  /// `throttle` is null where there is none. Both outlive it.
  RetrySchedule(const RetryRules& rules, RetryThrottle* throttle) noexcept
      : rules_(&rules), throttle_(throttle) {}

  /// An attempt has failed, not by this side: how long to wait before the next one; nothing: there
  /// is none. `may_repeat`: the request is at hand, and no headers came. `chance` is anything from
  /// 0 to 1.
  std::optional<Duration> resume(const Status& status,
                                 const Pushback& pushback,
                                 bool may_repeat,
                                 double chance) noexcept;

  /// How many were made before the current one, as `grpc-previous-rpc-attempts` says it.
  int previous() const noexcept { return previous_; }

 private:
  Duration next_backoff(double chance) noexcept;

  const RetryRules* rules_;
  RetryThrottle* throttle_;
  int previous_ = 0;
  /// Without variation, in nanoseconds; 0: the first one is next.
  double backoff_ = 0;
};

}  // namespace nearcall::inline v0::detail
