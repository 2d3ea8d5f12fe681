// SPDX-License-Identifier: Apache-2.0
// Whether a process that holds something is exiting, and a wait for what it holds.
#pragma once

#include "base/clock.hpp"

#include <sys/types.h>

#include <cstdint>

namespace nearcall::inline v0::detail {

/// What becomes of a process.
enum class ProcessFate : std::uint8_t { lives, dies, gone };

/// A process that was killed or exits, but is still there, dies: the kernel frees its memory before
/// it closes its descriptors, and that takes its time. Without /proc none is seen to die.
ProcessFate fate_of(pid_t process) noexcept;

/// Waits for what an exiting process still holds, and for no other one.
class DyingHolderWait {
 public:
  /// Whether to try again what `holder` was in the way of, after a pause of 1 ms: it dies, or has
  /// gone this moment. False once 2 s have passed.
  bool wait_for(pid_t holder) noexcept;

 private:
  bool was_gone_ = false;
  TimePoint deadline_ = no_deadline;
};

}  // namespace nearcall::inline v0::detail
