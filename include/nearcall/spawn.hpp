// SPDX-License-Identifier: Apache-2.0
// spawn(): starts a task that a loop owns; JoinHandle: what became of it.
#pragma once

#include <nearcall/async_event.hpp>
#include <nearcall/result.hpp>
#include <nearcall/task.hpp>

#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class EventLoop;

namespace detail {

/// A JoinHandle's share of its task, whatever that yields.
class JoinShare {
 public:
  JoinShare() noexcept = default;
  explicit JoinShare(SpawnedTask& task) noexcept : task_(&task) {}
  JoinShare(JoinShare&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
  JoinShare& operator=(JoinShare&& other) noexcept {
    std::swap(task_, other.task_);
    return *this;
  }
  ~JoinShare() {
    if (task_ != nullptr) release();
  }

  bool has_task() const noexcept { return task_ != nullptr; }
  bool has_ended() const noexcept;
  void cancel() const noexcept;
  /// Its permits come when the task has ended.
  Semaphore& ended() const noexcept;
  /// The coroutine of the task that has ended, once; none if it was cancelled.
  TaskFrame take_frame() const noexcept;

 private:
  SpawnedTask& require() const noexcept;
  void release() noexcept;

  SpawnedTask* task_ = nullptr;
};

/// Hands the coroutine over to the loop; to that of this thread if it is null.
JoinShare spawn_frame(EventLoop* loop, TaskFrame frame);

template <class T>
struct Joined {
  using type = Result<T>;
};
template <class T>
struct Joined<Result<T, Status>> {
  using type = Result<T, Status>;
};
template <>
struct Joined<Status> {
  using type = Status;
};

template <class T>
class [[nodiscard]] JoinAwaiter final : public SemaphoreAwaiter {
 public:
  explicit JoinAwaiter(const JoinShare& share) noexcept
      : SemaphoreAwaiter(
            share.ended(),
            "JoinHandle: join() on a thread that has no EventLoop; resume_on(loop) first"),
        share_(&share) {}

  typename Joined<T>::type await_resume() {
    settle();
    Task<T> task = adopt_frame<T>(share_->take_frame());
    if (!task)
      return Status::cancelled("the spawned task was cancelled, or its EventLoop has gone");
    if constexpr (std::is_void_v<T>) {
      take_result(task);
      return Status();
    } else {
      return take_result(task);
    }
  }

 private:
  const JoinShare* share_;
};

}  // namespace detail

/// What spawn() gives: waits for the task's end, or cancels it. Who does not need it drops it, and
/// the task is detached: it goes on, and its loop destroys it when it has finished.
///
///     JoinHandle<int> counting = spawn(count_words(file));
///     …
///     Result<int> words = co_await counting.join();
///
/// An exception that leaves the task is thrown again by join(). One that nobody can join any more
/// is logged and ends the program.
///
/// Thread safety: one thread at a time, any thread; it may outlive the loop.
template <class T = void>
class JoinHandle {
 public:
  /// Of no task.
  JoinHandle() noexcept = default;
  explicit JoinHandle(detail::JoinShare share) noexcept : share_(std::move(share)) {}

  /// Whether it has a task.
  explicit operator bool() const noexcept { return share_.has_task(); }
  /// Whether the task has finished, or was cancelled.
  [[nodiscard]] bool has_ended() const noexcept { return share_.has_ended(); }
  /// `co_await handle.join();` waits until the task has ended, on this thread's loop, which need
  /// not be the task's. A Result<T> with what the task returned (of a task that returns a Result or
  /// a Status, that), or CANCELLED if it was cancelled or its loop has gone before it finished.
  /// What was passed to the task lives until then. REQUIRES: once; the handle outlives the wait.
  detail::JoinAwaiter<T> join() const noexcept { return detail::JoinAwaiter<T>(share_); }
  /// Has the task destroyed where it waits, in one of the next turns of its loop, which waits for
  /// it while resume_on() has it on another thread; join() tells when that is done. A task that has
  /// not started never does; one that has ended keeps its result.
  void cancel() const noexcept { share_.cancel(); }

 private:
  detail::JoinShare share_;
};

/// Hands `task` to `loop`, which starts it in one of its next turns, and destroys it when the loop
/// goes before it has finished. Call it from any thread.
template <class T>
JoinHandle<T> spawn(EventLoop& loop, Task<T> task) {
  return JoinHandle<T>(detail::spawn_frame(&loop, detail::release_frame(std::move(task))));
}
/// spawn() on EventLoop::current(). REQUIRES: there is one.
template <class T>
JoinHandle<T> spawn(Task<T> task) {
  return JoinHandle<T>(detail::spawn_frame(nullptr, detail::release_frame(std::move(task))));
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
