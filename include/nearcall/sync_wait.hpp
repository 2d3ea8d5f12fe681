// SPDX-License-Identifier: Apache-2.0
// sync_wait(): runs a task on a thread that has nothing else to do.
#pragma once

#include <nearcall/task.hpp>

#include <coroutine>
#include <memory>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class EventLoop;

namespace detail {

/// The loop that sync_wait() drives until `task` ends.
class SyncWaitLoop {
 public:
  SyncWaitLoop();
  SyncWaitLoop(const SyncWaitLoop&) = delete;
  SyncWaitLoop& operator=(const SyncWaitLoop&) = delete;
  ~SyncWaitLoop();
  void drive(std::coroutine_handle<> task, TaskPromiseBase& promise);

 private:
  /// Only while the thread ends, and with it the loop that it kept.
  std::unique_ptr<EventLoop> own_;
  EventLoop* loop_ = nullptr;
  bool ends_tasks_ = false;
};

}  // namespace detail

/// Runs `task` on the calling thread until it has finished: on the loop that is bound to the thread
/// (EventLoop::Binding), else on one that the thread keeps, which ends with it. Connections last
/// from one sync_wait() to the next; in between nobody reads: what a server says, or that another
/// thread has destroyed the channel, is noticed by the next one, or when the thread ends. Tasks
/// that were spawned on a kept loop and have not finished are destroyed before this returns. A task
/// that never waits opens no descriptor. REQUIRES: no EventLoop runs on this thread (that loop
/// would stand still: co_await the task there).
template <class T>
T sync_wait(Task<T> task) {
  detail::SyncWaitLoop loop;
  Task<T> mine = std::move(task);  // goes before the spawned tasks do
  const auto handle = detail::Access::handle(mine);
  loop.drive(handle, handle.promise());
  return detail::take_result(mine);
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
