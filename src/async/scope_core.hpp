// SPDX-License-Identifier: Apache-2.0
// ScopeCore: the tasks of one TaskScope, and those who wait for their end.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/semaphore.hpp"

#include <nearcall/result.hpp>

namespace nearcall::inline v0::detail {

/// Destroys the tasks that are in it when it goes. Thread safety: the loop's thread.
class ScopeCore {
 public:
  static constexpr const char* elsewhere =
      "TaskScope: used, or destroyed with tasks in it, on a thread that does not run its "
      "EventLoop; "
      "co_await resume_on(loop) first";

  explicit ScopeCore(LoopCore& loop) noexcept : loop_(&loop) { emptied_.set_unlimited(true); }
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;
  ~ScopeCore() { cancel(); }

  LoopCore& loop() const noexcept { return *loop_; }
  /// For who adds a task, or waits for all.
  void require_loop() const noexcept {
    if (!loop_->may_be_in_this_thread()) fail_precondition(elsewhere);
  }
  /// For who takes tasks out: a loop that nobody runs any more may be taken down on any thread.
  void require_not_elsewhere() const noexcept {
    if (loop_->is_run_elsewhere()) fail_precondition(elsewhere);
  }
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
