// SPDX-License-Identifier: Apache-2.0
// ThreadLoops: which loops a thread has, or which pool has it.
#pragma once

#include <nearcall/event_loop.hpp>

namespace nearcall::inline v0::detail {

class PoolCore;

/// The loops of one thread, and its pool, each null if there is none.
struct ThreadLoops {
  /// The one whose run() or poll() the thread is inside of.
  EventLoop* running = nullptr;
  /// The one that is bound to it.
  EventLoop* bound = nullptr;
  /// The one that it keeps for its next sync_wait().
  EventLoop* kept = nullptr;
  /// The pool that it belongs to.
  const PoolCore* pool = nullptr;
};

/// Used out of line only: a coroutine that moves between threads must not keep its address.
extern constinit thread_local ThreadLoops thread_loops;

}  // namespace nearcall::inline v0::detail
