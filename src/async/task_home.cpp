// SPDX-License-Identifier: Apache-2.0
// The ways of coroutines to other threads and back, and who waits for them.
#include "async/loop_core.hpp"
#include "async/posted_resume.hpp"
#include "base/log.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>

#include <condition_variable>
#include <mutex>

namespace nearcall::inline v0::detail {

// ---- PostedResume -------------------------------------------------------------------------------

PostedResume::PostedResume(Queue to, std::coroutine_handle<> moving, TaskHome* home) noexcept
    : loop_(to.loop),
      pool_(to.pool),
      moving_(moving),
      home_(home),
      to_is_home_(home != nullptr && to.loop != nullptr && home->is(*to.loop)) {
}

PostedResume::~PostedResume() {
  if (is_pending_) take_back();
}

void PostedResume::post() {
  if (goes_home()) return home_->bring_home(*this);
  if (home_ != nullptr) home_->depart(*this);
  if (loop_ != nullptr) return loop_->core().post(*this);
  try {
    pool_->post(*this);
  } catch (...) {
    is_pending_ = false;
    if (home_ != nullptr) home_->give_up();
    throw;
  }
}

bool PostedResume::take_back() noexcept {
  const bool was_queued =
      loop_ != nullptr ? loop_->core().cancel_posted(*this) : pool_->cancel(*this);
  if (was_queued) is_pending_ = false;
  return was_queued;
}

void PostedResume::run() noexcept {
  is_pending_ = false;
  if (home_ != nullptr && !to_is_home_) home_->arrive();
  moving_.resume();
}

void PostedResume::discard() noexcept {
  is_pending_ = false;
  if (home_ != nullptr && !to_is_home_) home_->give_up();
}

// ---- TaskHome -----------------------------------------------------------------------------------

struct TaskHome::Travels {
  std::mutex mutex;
  std::condition_variable returned;
  // Guarded by mutex.
  bool is_away = false;
  /// In a queue that leads elsewhere, or just out of it.
  PostedResume* in_transit = nullptr;
};

bool TaskHome::is_here() const noexcept {
  return loop_->is_in_this_thread();
}

bool TaskHome::is(const EventLoop& loop) const noexcept {
  return &loop_->owner() == &loop;
}

void TaskHome::depart(PostedResume& on) noexcept {
  if (travels_ == nullptr) travels_ = new Travels;
  const std::lock_guard lock(travels_->mutex);
  travels_->is_away = true;
  travels_->in_transit = &on;
}

void TaskHome::arrive() noexcept {
  const std::lock_guard lock(travels_->mutex);
  travels_->in_transit = nullptr;
}

/// A departure came to nothing: the tree goes on where it is, or nowhere.
void TaskHome::give_up() noexcept {
  const std::lock_guard lock(travels_->mutex);
  travels_->in_transit = nullptr;
  travels_->is_away = false;
  travels_->returned.notify_all();
}

/// The owner, who waits, takes the mutex before it destroys anything: so it is free by then.
void TaskHome::bring_home(Runnable& work) noexcept {
  if (travels_ == nullptr) return loop_->post(work);
  const std::lock_guard lock(travels_->mutex);
  travels_->is_away = false;
  loop_->post(work);
  travels_->returned.notify_all();
}

void TaskHome::await_return(std::chrono::nanoseconds quiet_wait) noexcept {
  if (travels_ == nullptr) return;
  std::unique_lock lock(travels_->mutex);
  if (travels_->in_transit != nullptr && travels_->in_transit->take_back()) {
    travels_->in_transit = nullptr;
    travels_->is_away = false;
  }
  const auto is_back = [this] { return !travels_->is_away; };
  if (travels_->returned.wait_for(lock, quiet_wait, is_back)) return;
  log(LogLevel::warning,
      "waiting for a coroutine that resume_on() took to another thread; it was cancelled");
  travels_->returned.wait(lock, is_back);
}

void TaskHome::forget_travels() noexcept {
  travels_->mutex.lock();  // whoever brought the tree home is out of it
  travels_->mutex.unlock();
  delete travels_;
}

}  // namespace nearcall::inline v0::detail
