// SPDX-License-Identifier: Apache-2.0
// CallRetries: what a call with a retryPolicy, or a hedgingPolicy, has beside others.
#pragma once

#include "base/clock.hpp"
#include "client/hedging.hpp"
#include "client/replay_buffer.hpp"
#include "client/retry_schedule.hpp"
#include "client/retry_throttle.hpp"
#include "client/service_config.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>

namespace nearcall::inline v0::detail {

/// What the calls of a channel with a service config share. Thread safety: any thread.
struct ChannelRetries {
  ChannelRetries(const ServiceConfig& config, std::size_t most_of_call, std::size_t most)
      : budget(most), max_call_buffer(most_of_call) {
    if (config.throttling()) throttle.emplace(*config.throttling());
  }

  /// Null: there is none.
  RetryThrottle* throttle_if_any() noexcept { return throttle ? &*throttle : nullptr; }

  std::optional<RetryThrottle> throttle;
  ReplayBudget budget;
  const std::size_t max_call_buffer;
};

/// What a call with a retryPolicy, or a hedgingPolicy, has beside others. Thread safety: none.
struct CallRetries {
  /// REQUIRES: `config` has one of the two. All outlive it.
  CallRetries(const MethodConfig& config, ChannelRetries& of_channel, const Hedging::Parts& call)
      : replay(of_channel.budget, of_channel.max_call_buffer) {
    RetryThrottle* const throttle = of_channel.throttle_if_any();
    if (config.retry) {
      schedule.emplace(*config.retry, throttle);
    } else {
      hedging = std::make_unique<Hedging>(call, *config.hedging, throttle, replay);
    }
  }

  /// How many attempts were made before the next one.
  int previous() const noexcept {
    return schedule ? schedule->previous() : hedging->schedule().begun();
  }
  /// How many there were, the current one included.
  int attempts() const noexcept {
    return schedule ? 1 + schedule->previous() : std::max(hedging->schedule().begun(), 1);
  }

  /// One of the two.
  std::optional<RetrySchedule> schedule;
  std::unique_ptr<Hedging> hedging;
  ReplayBuffer replay;
  /// When the next attempt is due.
  TimePoint next_at{};
};

}  // namespace nearcall::inline v0::detail
