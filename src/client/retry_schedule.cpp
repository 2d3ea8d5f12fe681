// SPDX-License-Identifier: Apache-2.0
// gRFC A6: pushback, and the pauses between attempts.
#include "client/retry_schedule.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>
#include <system_error>

namespace nearcall::inline v0::detail {

Pushback Pushback::parse(const Metadata& trailers) {
  const std::optional<std::string_view> text = trailers.get("grpc-retry-pushback-ms");
  if (!text) return {};
  std::int32_t milliseconds = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, milliseconds);
  const bool has_zeros = text->size() > 1 && text->starts_with('0');
  const bool is_number = error == std::errc() && rest == end && !has_zeros;
  if (!is_number || milliseconds < 0) return {Kind::never, {}};
  return {Kind::after, std::chrono::milliseconds(milliseconds)};
}

/// What the throttle counts as a failure is any that could be retried, by its code, or that the
/// server does not want to be, also if this one is not: it has begun, or was the last one.
std::optional<Duration> RetrySchedule::resume(const Status& status,
                                              const Pushback& pushback,
                                              bool may_repeat,
                                              double chance) noexcept {
  const bool is_retryable = rules_->retryable.contains(status.code());
  const bool is_refused = pushback.kind == Pushback::Kind::never;
  if (throttle_ != nullptr && (is_retryable || is_refused)) throttle_->on_failure();
  if (!is_retryable || is_refused || !may_repeat) return std::nullopt;
  if (previous_ + 1 >= rules_->max_attempts) return std::nullopt;
  if (throttle_ != nullptr && !throttle_->allows()) return std::nullopt;
  ++previous_;
  if (pushback.kind == Pushback::Kind::none) return next_backoff(chance);
  backoff_ = 0;
  return pushback.pause;
}

/// As A6 has it since its jitter is plus or minus 0.2, and no longer anything from zero on: a pause
/// may be a little more than maxBackoff.
Duration RetrySchedule::next_backoff(double chance) noexcept {
  constexpr double least = 0.8;
  constexpr double range = 0.4;
  const auto initial = static_cast<double>(rules_->initial_backoff.count());
  const auto longest = static_cast<double>(rules_->max_backoff.count());
  backoff_ = std::min(backoff_ == 0 ? initial : backoff_ * rules_->backoff_multiplier, longest);
  const double pause = backoff_ * (least + range * chance);
  const auto most = static_cast<double>(Duration::max().count());
  return pause < most ? Duration(static_cast<Duration::rep>(pause)) : Duration::max();
}

}  // namespace nearcall::inline v0::detail
