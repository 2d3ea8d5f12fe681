// SPDX-License-Identifier: Apache-2.0
// The pool's queue and its threads.
#include "async/intrusive_list.hpp"
#include "async/runnable.hpp"

#include <nearcall/result.hpp>
#include <nearcall/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0 {
namespace detail {
namespace {

constinit thread_local const PoolCore* current_pool = nullptr;

}  // namespace

class PoolCore {
 public:
  PoolCore(std::size_t max_threads, std::size_t max_queued)
      : max_threads_(max_threads), max_queued_(max_queued) {
    if (max_threads == 0) fail_precondition("ThreadPool: max_threads is 0; ask for one at least");
  }
  PoolCore(const PoolCore&) = delete;
  PoolCore& operator=(const PoolCore&) = delete;
  ~PoolCore() {
    {
      const std::lock_guard lock(mutex_);
      is_closing_ = true;
    }
    has_work_.notify_all();
    for (std::thread& thread : threads_)
      thread.join();
  }

  bool try_post(UniqueFunction<void()> work);
  void post(Runnable& work);
  bool cancel(Runnable& work) noexcept;
  // Out of line: a coroutine that moves between threads must not keep a thread_local's address.
  [[gnu::noinline]] bool is_in_this_thread() const noexcept { return current_pool == this; }

 private:
  class Function final : public Runnable {
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

  /// Starts a thread if the idle ones are not enough; not while the pool ends: those that are
  /// joined then do all there is. Throws if none can be had at all.
  void ensure_thread();
  void serve();

  const std::size_t max_threads_;
  const std::size_t max_queued_;
  /// Functions that exist: queued, and not yet begun. Moved by their constructors and destructors.
  std::atomic<std::size_t> waiting_functions_{0};
  std::mutex mutex_;
  std::condition_variable has_work_;
  // The rest is guarded by mutex_.
  IntrusiveList<Runnable> queue_;
  std::size_t queued_ = 0;
  /// Threads that wait for work; those that have been notified count until they take some.
  std::size_t idle_ = 0;
  bool is_closing_ = false;
  std::vector<std::thread> threads_;
};

bool PoolCore::try_post(UniqueFunction<void()> work) {
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

void PoolCore::post(Runnable& work) {
  const std::lock_guard lock(mutex_);
  ++queued_;
  try {
    ensure_thread();
  } catch (...) {
    --queued_;
    throw;
  }
  queue_.push_back(work);
  has_work_.notify_one();
}

bool PoolCore::cancel(Runnable& work) noexcept {
  const std::lock_guard lock(mutex_);
  if (!work.is_linked()) return false;
  work.unlink();
  --queued_;
  return true;
}

void PoolCore::ensure_thread() {
  if (queued_ <= idle_ || threads_.size() == max_threads_ || is_closing_) return;
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    if (threads_.empty()) throw;
  }
}

void PoolCore::serve() {
  current_pool = this;
  std::unique_lock lock(mutex_);
  while (true) {
    while (Runnable* const work = queue_.pop_front()) {
      --queued_;
      lock.unlock();
      work->run();
      lock.lock();
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

ThreadPool::~ThreadPool() = default;

bool ThreadPool::try_post(UniqueFunction<void()> work) {
  if (!work) detail::fail_precondition("ThreadPool::try_post: the function is empty");
  return core_->try_post(std::move(work));
}

bool ThreadPool::is_in_this_thread() const noexcept {
  return core_->is_in_this_thread();
}

void ThreadPool::post(detail::Runnable& work) {
  core_->post(work);
}

bool ThreadPool::cancel(detail::Runnable& work) noexcept {
  return core_->cancel(work);
}

}  // namespace nearcall::inline v0
