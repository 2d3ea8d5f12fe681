// SPDX-License-Identifier: Apache-2.0
// Whether a process that holds something is exiting, and waiting for its end.
#pragma once

#include "base/clock.hpp"

#include <sys/types.h>

#include <cstdint>

namespace nearcall::inline v0::detail {

/// Whether a process can still use what it holds.
enum class ProcessState : std::uint8_t { runs, exits, gone };

/// A process that was killed or exits, but is still there, exits: the kernel frees its memory
/// before it closes its descriptors, and that takes its time. Without /proc all that are there run.
ProcessState process_state(pid_t process) noexcept;

/// Waits for what an exiting process still holds, and for no other.
class ExitWait {
 public:
  /// Sleeps for `longest` at most, in steps of 1 ms; with 0 it never sleeps.
  explicit ExitWait(Duration longest) noexcept : longest_(longest) {}
  /// Whether to try again what `holder` was in the way of: it has gone this moment, or it exits,
  /// and there was time to sleep.
  bool wait_for(pid_t holder) noexcept;
  /// What the last one found: whether it gave up on a process that still exits.
  bool saw_exiting() const noexcept { return state_ == ProcessState::exits; }

 private:
  const Duration longest_;
  ProcessState state_ = ProcessState::runs;
  bool was_gone_ = false;
  TimePoint deadline_ = no_deadline;
};

}  // namespace nearcall::inline v0::detail
