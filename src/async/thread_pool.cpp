// SPDX-License-Identifier: Apache-2.0
// The pool's queue and its threads.
#include "async/pool_core.hpp"
#include "async/thread_loops.hpp"

#include <nearcall/result.hpp>
#include <nearcall/thread_pool.hpp>

#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {
PoolCore::PoolCore(std::size_t max_threads, std::size_t max_queued)
    : max_threads_(max_threads), max_queued_(max_queued), queue_(max_threads, max_queued) {
  if (max_threads == 0) fail_precondition("ThreadPool: max_threads is 0; ask for one at least");
}

PoolCore::~PoolCore() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  has_work_.notify_all();
  for (std::thread& thread : threads_)
    thread.join();
}

bool PoolCore::is_in_this_thread() const noexcept {
  return thread_loops.pool == this;
}

bool PoolCore::try_post(UniqueFunction<void()> work) {
  if (!is_in_maker()) return false;
  if (waiting_functions_.load(std::memory_order_relaxed) >= max_queued_) return false;
  auto function = std::make_unique<Function>(*this, std::move(work));
  try {
    post(*function);
  } catch (const std::system_error&) {
    return false;
  }
  [[maybe_unused]] const Function* queued = function.release();  // deletes itself when it runs
  return true;
}

void PoolCore::require_maker() const {
  if (!is_in_maker()) throw std::system_error(std::make_error_code(std::errc::no_child_process));
}

void PoolCore::post(PoolWork& work) {
  require_maker();
  const std::lock_guard lock(mutex_);
  queue_.add(work);
  see_to_threads(work);
}

PoolQueue::Answer PoolCore::try_post(PoolWork& work, PoolClient client) {
  require_maker();
  const std::lock_guard lock(mutex_);
  const PoolQueue::Answer answer = queue_.try_add(work, client);
  if (answer == PoolQueue::Answer::taken) see_to_threads(work);
  return answer;
}

void PoolCore::see_to_threads(PoolWork& work) {
  try {
    ensure_thread();
  } catch (...) {
    queue_.remove(work);
    throw;
  }
  has_work_.notify_one();
}

bool PoolCore::cancel(PoolWork& work) noexcept {
  if (!is_in_maker()) return false;
  const std::lock_guard lock(mutex_);
  if (!work.is_linked()) return false;
  queue_.remove(work);
  return true;
}

void PoolCore::ensure_thread() {
  if (queue_.ready() <= idle_ || threads_.size() == max_threads_ || is_closing_) return;
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;
  }
}

void PoolCore::serve() {
  thread_loops.pool = this;
  std::unique_lock lock(mutex_);
  while (true) {
    for (PoolQueue::Next next = queue_.next(); next.work != nullptr; next = queue_.next()) {
      lock.unlock();
      next.work->run();
      lock.lock();
      queue_.end(*next.share);
    }
    if (is_closing_) return;
    ++idle_;
    has_work_.wait(lock);
    --idle_;
  }
}

}  // namespace detail

ThreadPool::ThreadPool(std::size_t max_threads, std::size_t max_queued)
    : core_(std::make_unique<detail::PoolCore>(max_threads, max_queued)) {
}

/// A forked child has none of the threads, and would wait for them: it leaves all as it is.
ThreadPool::~ThreadPool() {
  if (!core_->is_in_maker()) static_cast<void>(core_.release());
}

bool ThreadPool::try_post(UniqueFunction<void()> work) {
  if (!work) detail::fail_precondition("ThreadPool::try_post: the function is empty; give it one");
  return core_->try_post(std::move(work));
}

bool ThreadPool::is_in_this_thread() const noexcept {
  return core_->is_in_this_thread();
}

}  // namespace nearcall::inline v0
