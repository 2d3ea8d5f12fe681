// SPDX-License-Identifier: Apache-2.0
// ServiceConfig: what gRPC's service config says of a channel's calls.
#pragma once

#include "base/clock.hpp"

#include <nearcall/result.hpp>
#include <nearcall/status.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// Some of the status codes. A value.
class StatusCodeSet {
 public:
  void add(StatusCode code) noexcept { bits_ |= bit(code); }
  bool contains(StatusCode code) const noexcept { return (bits_ & bit(code)) != 0; }
  bool empty() const noexcept { return bits_ == 0; }

 private:
  static constexpr std::uint32_t bit(StatusCode code) noexcept {
    const auto number = static_cast<std::uint32_t>(code);
    return number < 32 ? std::uint32_t{1} << number : 0;
  }

  std::uint32_t bits_ = 0;
};

/// retryPolicy (gRFC A6).
struct RetryRules {
  /// The first one included.
  int max_attempts = 0;
  Duration initial_backoff{};
  Duration max_backoff{};
  double backoff_multiplier = 0;
  StatusCodeSet retryable;
};

/// hedgingPolicy (gRFC A6).
struct HedgingRules {
  /// The first one included.
  int max_attempts = 0;
  Duration delay{};
  StatusCodeSet non_fatal;
};

/// retryThrottling (gRFC A6), in thousandths of a token.
struct ThrottlingRules {
  std::int64_t max_tokens = 0;
  std::int64_t token_ratio = 0;
};

/// loadBalancingConfig (gRFC A24): the first policy of its list that is known here.
struct LoadBalancingRules {
  /// "pick_first" or "round_robin".
  std::string policy;
  /// Of pick_first: shuffleAddressList.
  bool shuffles = false;
};

/// What is said of a method.
struct MethodConfig {
  std::optional<Duration> timeout;
  std::optional<bool> wait_for_ready;
  std::optional<std::size_t> max_request_size;
  std::optional<std::size_t> max_response_size;
  /// One of them, or neither.
  std::optional<RetryRules> retry;
  std::optional<HedgingRules> hedging;
};

/// gRPC's service config (service_config.md), as a program gives it to a channel: read once, and
/// looked up once for each method, when it is bound.
///
/// Fields that are not known are ignored, and one that is known and wrong makes all of it wrong
/// (gRFC A21).
///
/// A value. Thread safety: as its members.
class ServiceConfig {
 public:
  /// What it may be long, in bytes.
  static constexpr std::size_t max_size = std::size_t{1024} * 1024;
  /// What it may be deep, in objects and arrays.
  static constexpr std::size_t max_depth = 32;
  /// maxAttempts that are more are as many (gRFC A6), and a log line says so.
  static constexpr int most_attempts = 5;

  /// FAILED_PRECONDITION, with the field's path, if something is wrong with it.
  static Result<ServiceConfig> parse(const std::string& json);

  /// What is said of the method with this `:path`: by its name, else its service's, else all; null:
  /// nothing. As long as this lives.
  const MethodConfig* find(std::string_view path) const noexcept;
  const std::optional<ThrottlingRules>& throttling() const noexcept { return throttling_; }
  const std::optional<LoadBalancingRules>& load_balancing() const noexcept {
    return load_balancing_;
  }
  /// healthCheckConfig.serviceName (gRFC A17).
  const std::optional<std::string>& health_check() const noexcept { return health_check_; }

 private:
  friend class ServiceConfigReader;

  std::vector<MethodConfig> methods_;
  /// "service/method", "service/" or "/": the place in methods_.
  std::map<std::string, std::size_t, std::less<>> names_;
  std::optional<ThrottlingRules> throttling_;
  std::optional<LoadBalancingRules> load_balancing_;
  std::optional<std::string> health_check_;
};

}  // namespace nearcall::inline v0::detail
