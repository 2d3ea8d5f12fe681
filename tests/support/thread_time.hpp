// SPDX-License-Identifier: Apache-2.0
// How much processor time a turn of a loop may take, and where that is a measure.
#pragma once

#include "support/sanitized.hpp"

#include <chrono>
#include <ctime>

namespace nearcall::test {

/// What no turn may take of the thread's time, whatever a peer does.
inline constexpr std::chrono::nanoseconds longest_turn = std::chrono::milliseconds(5);

/// The time of a thread has in it what others on the machine throw out of its caches, and what an
/// interrupt takes. Neither hits the same turn three times; what the code costs does.
inline constexpr int attempts_to_be_short = 3;

#ifdef NDEBUG
inline constexpr bool is_timed = !is_sanitized;
#else
inline constexpr bool is_timed = false;
#endif

/// What this thread has had of the processor.
inline std::chrono::nanoseconds time_of_thread() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace nearcall::test
