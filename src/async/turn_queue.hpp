// SPDX-License-Identifier: Apache-2.0
// TurnQueue: the work of one source that waits for later turns of a loop.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/runnable.hpp"

namespace nearcall::inline v0::detail {

class LoopCore;

/// The work of one source, such as the coroutines that a peer keeps busy, that has to wait for the
/// next turn of a loop. However much it is, it has one place among those who wait: they take turns,
/// one piece of work each.
///
/// Thread safety: the loop's thread.
class TurnQueue final : public Runnable {
 public:
  explicit TurnQueue(LoopCore& core) noexcept : core_(&core) {}
  TurnQueue(const TurnQueue&) = delete;
  TurnQueue& operator=(const TurnQueue&) = delete;
  /// What still waits goes on as work of no source.
  ~TurnQueue();

  /// Runs `work` in the next turn, or in one after it. REQUIRES: it is in no queue, and there is no
  /// room in this turn's budget.
  void push(Runnable& work);
  /// Runs the first of it. The queue may be gone when that returns.
  void run() noexcept override;

 private:
  LoopCore* core_;
  IntrusiveList<Runnable> work_;
};

}  // namespace nearcall::inline v0::detail
