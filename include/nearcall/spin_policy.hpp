// SPDX-License-Identifier: Apache-2.0
// SpinPolicy: how long a waiter looks at its hot connection before it lets the kernel wake it.
#pragma once

#include <nearcall/version.hpp>

#include <chrono>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How long whoever waits polls before it sleeps. Waking a sleeper costs tens of microseconds on a
/// virtual machine, and polling costs a processor: this chooses between them. A value.
class SpinPolicy {
 public:
  /// Polls for up to `max` at a time (zero or less: off()), and less, down to nothing, where that
  /// does not pay: slow peers, more runnable threads than processors, one processor. Never polls
  /// while nothing is going on.
  static constexpr SpinPolicy adaptive(
      std::chrono::nanoseconds max = std::chrono::microseconds(50)) noexcept {
    return SpinPolicy(max);
  }
  /// Sleeps at once.
  static constexpr SpinPolicy off() noexcept { return SpinPolicy(std::chrono::nanoseconds(0)); }

  /// The longest that it polls for.
  constexpr std::chrono::nanoseconds max() const noexcept { return max_; }
  constexpr bool is_off() const noexcept { return max_.count() <= 0; }

  friend constexpr bool operator==(SpinPolicy, SpinPolicy) noexcept = default;

 private:
  explicit constexpr SpinPolicy(std::chrono::nanoseconds max) noexcept : max_(max) {}

  std::chrono::nanoseconds max_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
