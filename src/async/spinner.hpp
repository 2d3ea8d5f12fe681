// SPDX-License-Identifier: Apache-2.0
// Spinner: decides how long a waiter polls before it sleeps. Pure: time comes in as an argument.
#pragma once

#include "base/clock.hpp"

#include <nearcall/spin_policy.hpp>

#include <algorithm>
#include <cstdint>

namespace nearcall::inline v0::detail {

/// The number of processors that this process may run on.
unsigned usable_processors() noexcept;

/// Tells the processor that this thread polls.
inline void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

/// The adaptive budget of one waiter, a loop or a blocking caller. One wait is
///
///     if (spinner.begin(now)) {
///       do {
///         if (poll()) { spinner.paid(); return; }
///         if (spinner.are_polls_cheap()) relax_processor();
///       } while (spinner.keep_on(now = clock));
///     }
///     …sleep…; spinner.slept(duration);
///
/// and a wait that ends for a reason of its own (a deadline) just stops calling.
///
/// A wait that pays doubles the budget, up to the policy's maximum; one that does not halves it,
/// down to an eighth. After four that did not pay in a row the budget collapses: the next waits
/// sleep at once, eight of them at first, then one more probe with the whole budget; each probe
/// that does not pay doubles that number, up to 1024. A short sleep, where spinning would have
/// paid, counts as eight of them.
///
/// When two polls are so far apart that another thread must have run in between, there are more of
/// them than processors. Who spins then spends its share of the processor, and waits for the others
/// to spend theirs when it has news; who sleeps is served at once. So waits sleep for a
/// millisecond; if it happens again soon after, for twice as long, up to a quarter of a second.
/// Time counts here, not waits that pay: while it runs, they all do. On one processor nothing ever
/// spins.
///
/// Thread safety: none.
class Spinner {
 public:
  using ProcessorCount = unsigned (*)() noexcept;

  explicit Spinner(SpinPolicy policy, ProcessorCount count = usable_processors) noexcept
      : max_(std::min(policy.max(), longest_budget)), budget_(max_), count_(count) {}

  /// A wait starts; false: sleep at once.
  bool begin(TimePoint now) noexcept;
  /// The poll that was just made found nothing; false: sleep.
  bool keep_on(TimePoint now) noexcept;
  /// What took so long since the last poll was something else, such as a mutex.
  void was_held_up(TimePoint now) noexcept { last_poll_ = now; }
  /// The poll found something.
  void paid() noexcept;
  /// Slept for that long, until there was something.
  void slept(Duration duration) noexcept;

  /// Whether the last poll took so little that the processor should rest before the next.
  bool are_polls_cheap() const noexcept { return poll_took_ < cheap_poll; }
  bool is_off() const noexcept { return max_ <= Duration::zero(); }
  Duration max_budget() const noexcept { return max_; }
  /// What the next wait may spend, if it may spend anything.
  Duration budget() const noexcept { return budget_; }

 private:
  /// For ever, to any waiter; and twice as long after any time is still a time.
  static constexpr Duration longest_budget = std::chrono::hours(1);
  static constexpr Duration cheap_poll = std::chrono::nanoseconds(150);
  /// Polls further apart than this had another thread in between.
  static constexpr Duration descheduled_after = std::chrono::microseconds(50);
  static constexpr Duration first_pause = std::chrono::milliseconds(1);
  static constexpr Duration longest_pause = std::chrono::milliseconds(256);
  /// How many pauses after the end of one it is dropped.
  static constexpr int pauses_remembered = 16;
  static constexpr std::uint32_t max_fruitless = 4;
  static constexpr std::uint32_t first_skips = 8;
  static constexpr std::uint32_t max_skips = 1024;
  static constexpr std::uint32_t skips_per_short_sleep = 8;

  void collapse() noexcept;
  void back_off(TimePoint now) noexcept;

  Duration max_;
  Duration budget_;
  Duration poll_took_{};
  TimePoint last_poll_{};
  TimePoint until_{};
  /// Until when waits sleep because threads are more than processors, and for how long that is.
  TimePoint pause_end_{};
  Duration pause_{};
  ProcessorCount count_;
  /// 0: not asked yet.
  unsigned processors_ = 0;
  /// Waits in a row that spent their budget for nothing.
  std::uint32_t fruitless_ = 0;
  /// Waits that still sleep at once.
  std::uint32_t skips_left_ = 0;
  /// How many of them the next collapse orders.
  std::uint32_t next_skips_ = first_skips;
};

}  // namespace nearcall::inline v0::detail
