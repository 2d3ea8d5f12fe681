// SPDX-License-Identifier: Apache-2.0
// What posters and the loop do under the inbox's mutex.
#include "async/inbox.hpp"

namespace nearcall::inline v0::detail {

void Inbox::post(Runnable& work) noexcept {
  const std::lock_guard lock(mutex_);
  work_.push_back(work);
  announce();
}

bool Inbox::cancel(Runnable& work) noexcept {
  const std::lock_guard lock(mutex_);
  const bool was_here = work.is_linked();
  work.unlink();
  return was_here;
}

void Inbox::request_stop() noexcept {
  const std::lock_guard lock(mutex_);
  stop_requested_.store(true, std::memory_order_relaxed);
  announce();
}

void Inbox::announce() noexcept {
  has_news_.store(true, std::memory_order_relaxed);
  if (wants_signal_.exchange(false, std::memory_order_relaxed)) poller_->signal();
}

Runnable* Inbox::take() noexcept {
  if (!has_news()) return nullptr;
  const std::lock_guard lock(mutex_);
  Runnable* const work = work_.pop_front();
  has_news_.store(!work_.empty() || is_stop_requested(), std::memory_order_relaxed);
  return work;
}

void Inbox::clear_stop() noexcept {
  const std::lock_guard lock(mutex_);
  stop_requested_.store(false, std::memory_order_relaxed);
  has_news_.store(!work_.empty(), std::memory_order_relaxed);
}

bool Inbox::prepare_sleep() noexcept {
  return prepare(/*heeds_stop=*/true);
}

bool Inbox::prepare_absence() noexcept {
  return prepare(/*heeds_stop=*/false);
}

bool Inbox::prepare(bool heeds_stop) noexcept {
  const std::lock_guard lock(mutex_);
  if (!work_.empty() || (heeds_stop && is_stop_requested())) return false;
  wants_signal_.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace nearcall::inline v0::detail
