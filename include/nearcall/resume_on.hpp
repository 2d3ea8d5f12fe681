// SPDX-License-Identifier: Apache-2.0
// resume_on(): moves a task to another thread; TaskHome: where it came from.
#pragma once

#include <nearcall/task.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class EventLoop;
class ThreadPool;

namespace detail {

/// The loop that a tree of tasks belongs to, for an owner who may have to destroy the tree: that
/// must not happen while resume_on() has taken it to another thread.
///
///     at home ──resume_on(elsewhere)──► away ──resume_on(its loop), or its end──► at home
///
/// Thread safety: is_here() and post_back() from any thread that runs the tree; await_return() and
/// the destructor from the loop's, or while nobody runs the loop.
class TaskHome {
 public:
  explicit TaskHome(LoopCore& loop) noexcept : loop_(&loop) {}
  TaskHome(const TaskHome&) = delete;
  TaskHome& operator=(const TaskHome&) = delete;
  ~TaskHome() {
    if (away_ != nullptr) free_away();
  }

  bool is_here() const noexcept;
  bool is(const EventLoop& loop) const noexcept;
  /// Runs `work` on the loop; from now on nobody but the loop has a part in the tree.
  void post_back(Runnable& work) noexcept;
  /// Whether the tree runs on another thread, so that await_return() would wait. What waits in a
  /// queue for one does not count, nor what has just left it. From the loop's thread.
  bool is_elsewhere() const noexcept;
  /// Returns when the tree is at home; takes it back from a queue, if it waits in one. Says so in
  /// the log if that takes longer than `quiet_wait`.
  void await_return(std::chrono::nanoseconds quiet_wait = std::chrono::seconds(1)) noexcept {
    if (away_ != nullptr) wait_for_return(quiet_wait);
  }

  // Of a PostedResume: the tree goes with it, is elsewhere, has not gone after all.
  void leave(PostedResume& on) noexcept;
  void arrive() noexcept;
  void cancel_leave() noexcept;

 private:
  struct Away;
  void wait_for_return(std::chrono::nanoseconds quiet_wait) noexcept;
  void free_away() noexcept;

  LoopCore* loop_;
  /// Made when it leaves for the first time.
  Away* away_ = nullptr;
};

/// Moves the awaiting coroutine to a loop or to a pool.
class [[nodiscard]] ResumeOnAwaiter {
 public:
  explicit ResumeOnAwaiter(EventLoop& loop) noexcept : loop_(&loop) {}
  explicit ResumeOnAwaiter(ThreadPool& pool) noexcept : pool_(&pool) {}
  ResumeOnAwaiter(const ResumeOnAwaiter&) = delete;
  ResumeOnAwaiter& operator=(const ResumeOnAwaiter&) = delete;
  ~ResumeOnAwaiter();

  bool await_ready() const noexcept;
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> moving) {
    suspend(moving, TaskPromiseBase::home_of(moving));
  }
  void await_resume() const noexcept {}

 private:
  static constexpr std::size_t storage_size = 96;

  void suspend(std::coroutine_handle<> moving, TaskHome* home);

  EventLoop* loop_ = nullptr;
  ThreadPool* pool_ = nullptr;
  PostedResume* posted_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

}  // namespace detail

/// `co_await resume_on(loop);` goes on on that loop's thread; at once if it is there.
inline detail::ResumeOnAwaiter resume_on(EventLoop& loop) noexcept {
  return detail::ResumeOnAwaiter(loop);
}
/// `co_await resume_on(pool);` goes on on a thread of the pool. A handler of a server is brought
/// back to its loop when it ends; until then its call, and so the server, waits for it.
inline detail::ResumeOnAwaiter resume_on(ThreadPool& pool) noexcept {
  return detail::ResumeOnAwaiter(pool);
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
