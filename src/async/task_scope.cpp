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

TaskScope::~TaskScope() = default;

detail::JoinShare TaskScope::spawn_frame(detail::TaskFrame frame) {
  EventLoop* const here = EventLoop::running();
  if (here != nullptr && here != &core_->loop().owner()) {
    detail::fail_precondition("TaskScope: used on another loop's thread; spawn() there instead");
  }
  return detail::JoinShare(
      *new detail::SpawnedTask(*core_, frame));  // the scope's and the handle's
}

void TaskScope::cancel() noexcept {
  core_->cancel();
}

bool TaskScope::empty() const noexcept {
  return core_->empty();
}

Task<void> TaskScope::join() {
  while (!core_->empty())
    co_await detail::SemaphoreAwaiter(
        core_->emptied(), "TaskScope: join() on a thread that has no EventLoop; resume_on(loop)");
}

}  // namespace nearcall::inline v0
