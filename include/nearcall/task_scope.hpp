// SPDX-License-Identifier: Apache-2.0
// TaskScope: tasks that cannot outlive what they refer to.
#pragma once

#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>

#include <memory>
#include <utility>

#pragma GCC visibility push(default)

namespace nearcall::inline v0 {

class EventLoop;

/// Owns the tasks that are spawned in it, and destroys those that have not finished when it goes.
/// Declare it after what the tasks refer to, in a coroutine or as the last member of an object:
///
///     Chat call = greeter.ChatAsync();
///     TaskScope scope;                // goes before the call does
///     scope.spawn(write_names(call));
///     …
///     co_await scope.join();          // or return early: the writer is cancelled
///
/// Of a call that has ended, whoever still waits for a read or a write is resumed: the read yields
/// nothing, the write false. So a task that stops then ends by itself, and join() returns.
///
/// Thread safety: the loop's thread; one without tasks may be destroyed on any.
class TaskScope {
 public:
  /// For tasks of `loop`, which outlives it.
  explicit TaskScope(EventLoop& loop);
  /// For tasks of EventLoop::current(). REQUIRES: there is one.
  TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  /// As cancel().
  ~TaskScope();

  /// Starts `task` in this turn of the loop, or the next one. Otherwise as nearcall::spawn(): who
  /// drops the handle leaves the task to the scope.
  template <class T>
  JoinHandle<T> spawn(Task<T> task) {
    return JoinHandle<T>(spawn_frame(detail::release_frame(std::move(task))));
  }
  /// Destroys the tasks that have not finished, started or not, where they wait; waits for those
  /// that resume_on() took to another thread. REQUIRES: not called by one of them.
  void cancel() noexcept;
  /// Whether all have finished.
  [[nodiscard]] bool empty() const noexcept;
  /// `co_await scope.join();` until all have finished, those included that are spawned meanwhile.
  /// REQUIRES: not awaited by one of them; the scope outlives it.
  Task<void> join();

 private:
  detail::JoinShare spawn_frame(detail::TaskFrame frame);

  std::unique_ptr<detail::ScopeCore> core_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
