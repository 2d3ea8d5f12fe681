// SPDX-License-Identifier: Apache-2.0
// BusyLabel and BusyMeter: whose code keeps a loop from turning, and for how long.
#pragma once

#include "base/clock.hpp"

#include <array>
#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {

/// Says what the code that this thread runs works on, as long as it lives: a method's path, which
/// outlives everything here, or nothing.
class BusyLabel {
 public:
  explicit BusyLabel(std::string_view label) noexcept;
  BusyLabel(const BusyLabel&) = delete;
  BusyLabel& operator=(const BusyLabel&) = delete;
  ~BusyLabel();

  static std::string_view current() noexcept;

 private:
  std::string_view before_;
};

/// A coroutine that waits. It keeps its label while it does.
///
/// Thread safety: none; it may be resumed on another thread than the one where it was suspended.
class Suspended {
 public:
  Suspended() noexcept = default;
  explicit Suspended(std::coroutine_handle<> handle) noexcept
      : handle_(handle), label_(BusyLabel::current()) {}

  /// Both may be gone when this returns.
  void resume() {
    const BusyLabel label(label_);
    std::exchange(handle_, {}).resume();
  }

 private:
  std::coroutine_handle<> handle_;
  std::string_view label_;
};

/// Measures how long a loop is kept from turning, from the looks at the clock that the loop takes
/// anyway: whatever ran since the last look took the time since the last look.
///
/// Labels are noted per thread: one loop at a time runs on it. Thread safety: the loop's thread.
class BusyMeter {
 public:
  void set_threshold(Duration threshold) noexcept { threshold_ = threshold; }
  /// The time up to now counts against nobody.
  void begin(TimePoint now) noexcept {
    since_ = now;
    clear_labels();
  }
  /// What runs next is looked at by itself: the labels up to now are not to blame for it.
  static void clear_labels() noexcept;
  /// A look at the clock, with which the next stretch begins. If what ran took as long as the
  /// threshold or longer: what to say about it. `unnamed` is what ran if it had no label; without
  /// it, that is nobody's fault.
  std::optional<std::string> look(TimePoint now, std::string_view unnamed = {}) {
    const Duration took = now - since_;
    since_ = now;
    if (took < threshold_) {
      clear_labels();
      return std::nullopt;
    }
    return describe(took, unnamed);
  }
  TimePoint last_look() const noexcept { return since_; }

 private:
  static std::optional<std::string> describe(Duration took, std::string_view unnamed);

  Duration threshold_ = std::chrono::milliseconds(100);
  TimePoint since_{};
};

}  // namespace nearcall::inline v0::detail
