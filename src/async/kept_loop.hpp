// SPDX-License-Identifier: Apache-2.0
// The loop that a thread keeps for its sync_wait()s, for those who leave work on it.
#pragma once

namespace nearcall::inline v0::detail {

/// Where this thread keeps a loop and is inside of none: does what other parts of the thread have
/// posted to it, which otherwise waits for the next sync_wait().
void turn_kept_loop();

}  // namespace nearcall::inline v0::detail
