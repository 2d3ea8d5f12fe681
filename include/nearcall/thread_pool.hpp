// SPDX-License-Identifier: Apache-2.0
// ThreadPool: threads for work that blocks.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/unique_function.hpp>

#include <cstddef>
#include <memory>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// A bounded number of threads, each started when there is work and no other is idle.
///
/// Move a task there with `co_await resume_on(pool)`, and back with `co_await resume_on(loop)`.
/// Thread safety: any thread. Outlives the tasks that move to it.
class ThreadPool {
 public:
  static constexpr std::size_t default_max_queued = 1024;

  /// At most `max_threads` threads. At most `max_queued` functions of try_post() wait for one; and
  /// a call of a BlockingService waits only where fewer than `max_queued` others of any kind do (0:
  /// nowhere). The calls of one client have at most three times as many of the threads, and of
  /// threads and places together, as they leave free (docs/limits.md). REQUIRES: max_threads > 0.
  explicit ThreadPool(std::size_t max_threads, std::size_t max_queued = default_max_queued);
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  /// Runs what is queued, and joins the threads. In a forked child, which has none of them,
  /// nothing. REQUIRES: not on one of them.
  ~ThreadPool();

  /// Calls `work` on one of the threads; false if max_queued other functions wait already, if no
  /// thread can be started, or in a forked child. Tasks that move to the pool do not count: they
  /// bring their own memory. REQUIRES: `work` is not empty.
  [[nodiscard]] bool try_post(UniqueFunction<void()> work);
  /// Whether the caller is on one of the pool's threads.
  [[nodiscard]] bool is_in_this_thread() const noexcept;

 private:
  friend detail::Access;

  std::unique_ptr<detail::PoolCore> core_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
