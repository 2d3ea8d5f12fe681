// SPDX-License-Identifier: Apache-2.0
// AbortReason: why a connection was aborted, told from any thread to those that read and write.
#pragma once

#include <atomic>
#include <cstdint>
#include <system_error>

namespace nearcall::inline v0::detail {

/// Keeps the first reason that it is given. Thread safety: any thread.
class AbortReason {
 public:
  /// Whether this was the first reason.
  bool set(std::error_code reason) noexcept {
    State expected = State::none;
    if (!state_.compare_exchange_strong(expected, State::storing)) return false;
    reason_ = reason;
    state_.store(State::set);
    return true;
  }
  /// Null as long as there is none.
  const std::error_code* get() const noexcept {
    return state_.load(std::memory_order_acquire) == State::set ? &reason_ : nullptr;
  }

 private:
  enum class State : std::uint8_t { none, storing, set };

  /// none → storing → set; the thread that did the first step writes reason_ and does the second.
  std::atomic<State> state_{State::none};
  std::error_code reason_;
};

}  // namespace nearcall::inline v0::detail
