// SPDX-License-Identifier: Apache-2.0
// ThreadLoops: which loops a thread has.
#pragma once

#include <nearcall/event_loop.hpp>

namespace nearcall::inline v0::detail {

/// The loops of one thread, each null if there is none.
struct ThreadLoops {
  /// The one whose run() or poll() the thread is inside of.
  EventLoop* running = nullptr;
  /// The one that is bound to it.
  EventLoop* bound = nullptr;
  /// The one that it keeps for its next sync_wait().
  EventLoop* kept = nullptr;
};

/// Used out of line only: a coroutine that moves between threads must not keep its address.
extern constinit thread_local ThreadLoops thread_loops;

}  // namespace nearcall::inline v0::detail
