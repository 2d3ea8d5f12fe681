// SPDX-License-Identifier: Apache-2.0
// How a coroutine gets to another thread.
#include "async/loop_core.hpp"
#include "async/pool_core.hpp"
#include "async/posted_resume.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/thread_pool.hpp>

#include <memory>
#include <new>

namespace nearcall::inline v0::detail {

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
  if (goes_home()) return home_->post_back(*this);
  if (home_ != nullptr) home_->leave(*this);
  if (loop_ != nullptr) return Access::core(*loop_).post(*this);
  try {
    Access::core(*pool_).post(*this);
  } catch (...) {
    stay();
    throw;
  }
}

PoolQueue::Answer PostedResume::try_post(PoolClient client) {
  if (home_ != nullptr) home_->leave(*this);
  try {
    const PoolQueue::Answer answer = Access::core(*pool_).try_post(*this, client);
    if (answer != PoolQueue::Answer::taken) stay();
    return answer;
  } catch (...) {
    stay();
    throw;
  }
}

void PostedResume::stay() noexcept {
  is_pending_ = false;
  if (home_ != nullptr) home_->cancel_leave();
}

bool PostedResume::take_back() noexcept {
  const bool was_queued = loop_ != nullptr ? Access::core(*loop_).cancel_posted(*this)
                                           : Access::core(*pool_).cancel(*this);
  if (was_queued) is_pending_ = false;
  return was_queued;
}

void PostedResume::run() noexcept {
  is_pending_ = false;
  if (home_ != nullptr && !to_is_home_) home_->arrive();
  moving_.resume();
}

void PostedResume::drop() noexcept {
  is_pending_ = false;
  if (home_ != nullptr && !to_is_home_) home_->cancel_leave();
}

ResumeOnAwaiter::~ResumeOnAwaiter() {
  if (posted_ != nullptr) std::destroy_at(posted_);
}

bool ResumeOnAwaiter::await_ready() const noexcept {
  return loop_ != nullptr ? loop_->is_in_this_thread() : pool_->is_in_this_thread();
}

// From the moment that it is posted, another thread may have resumed and destroyed all of this.
[[gnu::noinline]] void ResumeOnAwaiter::suspend(std::coroutine_handle<> moving, TaskHome* home) {
  static_assert(sizeof(PostedResume) <= storage_size);
  PostedResume::Queue queue{loop_, pool_};
  posted_ = ::new (static_cast<void*>(storage_)) PostedResume(queue, moving, home);
  posted_->post();
}

}  // namespace nearcall::inline v0::detail
