// SPDX-License-Identifier: Apache-2.0
// RetryThrottle: whether a channel's calls may be retried, as far as others fail.
#pragma once

#include "client/service_config.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// The tokens of a channel (gRFC A6, retryThrottling): each attempt that fails takes one, each that
/// succeeds gives a part of one back, and there are no retries and hedges while half of them or
/// fewer are left.
///
/// Thread safety: any thread; no lock.
class RetryThrottle {
 public:
  explicit RetryThrottle(const ThrottlingRules& rules) noexcept
      : rules_(rules), tokens_(rules.max_tokens) {}

  void on_success() noexcept { add(rules_.token_ratio); }
  void on_failure() noexcept { add(-one_token); }
  bool allows() const noexcept {
    return tokens_.load(std::memory_order_relaxed) > rules_.max_tokens / 2;
  }

 private:
  static constexpr std::int64_t one_token = 1000;

  /// Nothing is written where nothing changes: all is well, most of the time.
  void add(std::int64_t change) noexcept {
    std::int64_t before = tokens_.load(std::memory_order_relaxed);
    std::int64_t after = 0;
    do {
      after = std::clamp(before + change, std::int64_t{0}, rules_.max_tokens);
      if (after == before) return;
    } while (!tokens_.compare_exchange_weak(before, after, std::memory_order_relaxed));
  }

  const ThrottlingRules rules_;
  std::atomic<std::int64_t> tokens_;
};

}  // namespace nearcall::inline v0::detail
