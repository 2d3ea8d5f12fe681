// SPDX-License-Identifier: Apache-2.0
// What a scope's owner sees of its tasks.
#include "async/scope_core.hpp"
#include "async/semaphore.hpp"
#include "async/spawned_task.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/task_scope.hpp>

namespace nearcall::inline v0 {

TaskScope::TaskScope(EventLoop& loop)
    : core_(std::make_unique<detail::ScopeCore>(detail::Access::core(loop))) {
}

TaskScope::TaskScope() {
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    detail::fail_precondition(
        "TaskScope: this thread has no EventLoop; make it in a task, or pass the loop");
  }
  core_ = std::make_unique<detail::ScopeCore>(detail::Access::core(*loop));
}

TaskScope::~TaskScope() {
  if (!core_->empty()) core_->require_not_elsewhere();
}

detail::JoinShare TaskScope::spawn_frame(detail::TaskFrame frame) {
  core_->require_loop();
  return detail::JoinShare(
      *new detail::SpawnedTask(*core_, frame));  // the scope's and the handle's
}

void TaskScope::cancel() noexcept {
  core_->require_not_elsewhere();
  core_->cancel();
}

bool TaskScope::empty() const noexcept {
  return core_->empty();
}

Task<void> TaskScope::join() {
  core_->require_loop();
  while (!core_->empty())
    co_await detail::SemaphoreAwaiter(core_->emptied(), detail::ScopeCore::elsewhere);
}

}  // namespace nearcall::inline v0
