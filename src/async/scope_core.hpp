// SPDX-License-Identifier: Apache-2.0
// ScopeCore: the tasks of one TaskScope, and those who wait for their end.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/semaphore.hpp"

namespace nearcall::inline v0::detail {

/// Destroys the tasks that are in it when it goes. Thread safety: the loop's thread.
class ScopeCore {
 public:
  explicit ScopeCore(LoopCore& loop) noexcept : loop_(&loop) { emptied_.set_unlimited(true); }
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;
  ~ScopeCore() { cancel(); }

  LoopCore& loop() const noexcept { return *loop_; }
  bool empty() const noexcept { return tasks_.empty(); }
  /// Gives permits while no task is in it.
  Semaphore& emptied() noexcept { return emptied_; }

  /// The task leaves the list when it has ended, and then says so.
  void add(LoopOwned& task) noexcept {
    tasks_.push_back(task);
    emptied_.set_unlimited(false);
  }
  void note_end() noexcept {
    if (empty()) emptied_.set_unlimited(true);
  }
  void cancel() noexcept {
    while (LoopOwned* const task = tasks_.front())
      task->destroy();
  }

 private:
  LoopCore* loop_;
  IntrusiveList<LoopOwned> tasks_;
  Semaphore emptied_{/*permits=*/0};
};

}  // namespace nearcall::inline v0::detail
