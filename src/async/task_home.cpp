// SPDX-License-Identifier: Apache-2.0
// Coroutines on other threads, and who waits for them.
#include "async/busy_meter.hpp"
#include "async/loop_core.hpp"
#include "async/posted_resume.hpp"
#include "base/log.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>

#include <condition_variable>
#include <mutex>
#include <string_view>

namespace nearcall::inline v0::detail {

struct TaskHome::Away {
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

void TaskHome::leave(PostedResume& on) noexcept {
  if (away_ == nullptr) away_ = new Away;
  const std::lock_guard lock(away_->mutex);
  away_->is_away = true;
  away_->in_transit = &on;
}

void TaskHome::arrive() noexcept {
  const std::lock_guard lock(away_->mutex);
  away_->in_transit = nullptr;
}

/// It did not leave after all: it goes on where it is, or nowhere.
void TaskHome::cancel_leave() noexcept {
  const std::lock_guard lock(away_->mutex);
  away_->in_transit = nullptr;
  away_->is_away = false;
  away_->returned.notify_all();
}

/// The owner, who waits, takes the mutex before it destroys anything: so it is free by then.
void TaskHome::post_back(Runnable& work) noexcept {
  if (away_ == nullptr) return loop_->post(work);
  const std::lock_guard lock(away_->mutex);
  away_->is_away = false;
  loop_->post(work);
  away_->returned.notify_all();
}

bool TaskHome::is_elsewhere() const noexcept {
  if (away_ == nullptr) return false;
  const std::lock_guard lock(away_->mutex);
  return away_->is_away && away_->in_transit == nullptr;
}

void TaskHome::wait_for_return(std::chrono::nanoseconds quiet_wait) noexcept {
  std::unique_lock lock(away_->mutex);
  if (away_->in_transit != nullptr && away_->in_transit->take_back()) {
    away_->in_transit = nullptr;
    away_->is_away = false;
  }
  const auto is_back = [this] { return !away_->is_away; };
  if (away_->returned.wait_for(lock, quiet_wait, is_back)) return;
  const std::string_view label = BusyLabel::current();
  log(LogLevel::warning, label, label.empty() ? "" : ": ",
      "waiting for what runs on another thread; it was cancelled");
  away_->returned.wait(lock, is_back);
}

void TaskHome::free_away() noexcept {
  away_->mutex.lock();  // whoever is in post_back() is out of it
  away_->mutex.unlock();
  delete away_;
}

}  // namespace nearcall::inline v0::detail
