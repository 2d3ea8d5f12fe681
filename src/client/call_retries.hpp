// SPDX-License-Identifier: Apache-2.0
// CallRetries: what a call with a retryPolicy has beside others.
#pragma once

#include "base/clock.hpp"
#include "client/replay_buffer.hpp"
#include "client/retry_schedule.hpp"
#include "client/retry_throttle.hpp"
#include "client/service_config.hpp"

#include <cstddef>
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

/// What a call with a retryPolicy has beside others. Thread safety: none.
struct CallRetries {
  CallRetries(const RetryRules& rules, ChannelRetries& of_channel) noexcept
      : schedule(rules, of_channel.throttle_if_any()),
        replay(of_channel.budget, of_channel.max_call_buffer) {}

  RetrySchedule schedule;
  ReplayBuffer replay;
  /// When the next attempt is due.
  TimePoint next_at{};
};

}  // namespace nearcall::inline v0::detail
