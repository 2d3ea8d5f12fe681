// SPDX-License-Identifier: Apache-2.0
// PoolCore: what is behind a ThreadPool: its queue and its threads.
#pragma once

#include "async/pool_queue.hpp"
#include "base/fork_mark.hpp"

#include <nearcall/unique_function.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// A ThreadPool's queue and its threads.
///
/// Thread safety: any thread.
class PoolCore {
 public:
  PoolCore(std::size_t max_threads, std::size_t max_queued);
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;
  /// Runs what is queued, and joins the threads.
  ~PoolCore();

  bool try_post(UniqueFunction<void()> work);
  /// Throws std::system_error if no thread can be started, or in a forked child.
  void post(PoolWork& work);
  /// The same for a client, if there is room for it.
  [[nodiscard]] PoolQueue::Answer try_post(PoolWork& work, PoolClient client);
  /// Takes `work` back if it has not begun to run; whether it did.
  bool cancel(PoolWork& work) noexcept;
  /// Whether this is the process whose threads these are.
  bool is_in_maker() const noexcept { return made_in_.is_in_maker(); }
  std::size_t max_threads() const noexcept { return max_threads_; }
  std::size_t max_queued() const noexcept { return max_queued_; }
  // Out of line: a coroutine that moves between threads must not keep a thread_local's address.
  [[gnu::noinline]] bool is_in_this_thread() const noexcept;

 private:
  class Function final : public PoolWork {
   public:
    Function(PoolCore& pool, UniqueFunction<void()> work) : pool_(&pool), work_(std::move(work)) {
      pool_->waiting_functions_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Function() { pool_->waiting_functions_.fetch_sub(1, std::memory_order_relaxed); }
    void run() noexcept override {
      UniqueFunction<void()> work = std::move(work_);
      delete this;
      work();
    }

   private:
    PoolCore* pool_;
    UniqueFunction<void()> work_;
  };

  /// Throws in a forked child, which has none of the threads.
  void require_maker() const;
  /// `work` was queued: takes it out again, and throws, if no thread at all can be had. REQUIRES:
  /// mutex_ is held.
  void see_to_threads(PoolWork& work);
  /// Starts a thread if the idle ones are not enough; not while the pool ends: those that are
  /// joined then do all there is. Throws if none can be had at all.
  void ensure_thread();
  void serve();

  const ForkMark made_in_;
  const std::size_t max_threads_;
  const std::size_t max_queued_;
  /// Functions that exist: queued, and not yet begun. Moved by their constructors and destructors.
  std::atomic<std::size_t> waiting_functions_{0};
  std::mutex mutex_;
  std::condition_variable has_work_;
  // The rest is guarded by mutex_.
  PoolQueue queue_;
  /// Threads that wait for work; those that have been notified count until they take some.
  std::size_t idle_ = 0;
  bool is_closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace nearcall::inline v0::detail
