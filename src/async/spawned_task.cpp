// SPDX-License-Identifier: Apache-2.0
// How spawned tasks begin, end, and are cancelled.
#include "async/spawned_task.hpp"

#include "base/log.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>

#include <exception>
#include <utility>

namespace nearcall::inline v0::detail {

SpawnedTask::SpawnedTask(LoopCore& loop, TaskFrame frame)
    : loop_(&loop), frame_(frame), home_(loop) {
  if (loop.is_in_this_thread()) loop.adopt_task(*this);
  loop.post(begin_);
}

SpawnedTask::SpawnedTask(ScopeCore& scope, TaskFrame frame)
    : loop_(&scope.loop()), scope_(&scope), frame_(frame), home_(scope.loop()) {
  scope.add(*this);
  loop_->schedule(begin_);
}

SpawnedTask::~SpawnedTask() {
  if (frame_.coroutine) frame_.coroutine.destroy();
}

void SpawnedTask::begin() noexcept {
  if (is_cancel_requested()) return destroy();
  if (!is_linked()) loop_->adopt_task(*this);
  state_ = State::runs;
  TaskPromiseBase::start(
      frame_.coroutine, *frame_.promise,
      [](void* self) noexcept { static_cast<SpawnedTask*>(self)->on_done(); }, this, &home_);
}

void SpawnedTask::on_done() noexcept {
  state_ = State::finished;
  if (home_.is_here()) {
    finish();
  } else {
    home_.post_back(finish_);
  }
}

void SpawnedTask::destroy() noexcept {
  home_.await_return();
  unlink();
  if (state_ != State::finished) {
    state_ = State::cancelled;
    std::exchange(frame_, {}).coroutine.destroy();
  }
  finish();
}

void SpawnedTask::finish() noexcept {
  ScopeCore* const scope = scope_;
  unlink();
  {
    const std::lock_guard lock(mutex_);
    has_left_loop_ = true;
  }
  loop_->cancel_posted(begin_);
  loop_->cancel_posted(finish_);
  loop_->cancel_posted(cancel_);
  ended_.set_unlimited(true);
  release();
  if (scope != nullptr) scope->note_end();
}

void SpawnedTask::cancel() noexcept {
  const std::lock_guard lock(mutex_);
  if (has_left_loop_ || is_cancel_requested_) return;
  is_cancel_requested_ = true;
  loop_->post(cancel_);
}

bool SpawnedTask::is_cancel_requested() noexcept {
  const std::lock_guard lock(mutex_);
  return is_cancel_requested_;
}

TaskFrame SpawnedTask::take_frame() noexcept {
  if (state_ == State::joined) {
    fail_precondition("JoinHandle: joined a second time; keep what the first join() gave");
  }
  if (state_ == State::finished) state_ = State::joined;
  return std::exchange(frame_, {});
}

void SpawnedTask::release() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (state_ == State::finished && frame_.promise->has_thrown()) abort_by_exception();
  delete this;
}

void SpawnedTask::abort_by_exception() const noexcept {
  try {
    std::rethrow_exception(frame_.promise->exception());
  } catch (const std::exception& error) {
    log(LogLevel::error, "an exception left a spawned task: ", error.what());
  } catch (...) {
    log(LogLevel::error, "an exception left a spawned task");
  }
  std::terminate();
}

JoinShare spawn_frame(EventLoop* loop, TaskFrame frame) {
  if (loop == nullptr) loop = EventLoop::current();
  if (loop == nullptr) {
    fail_precondition("spawn: this thread has no EventLoop; spawn in a task, or pass the loop");
  }
  return JoinShare(*new SpawnedTask(Access::core(*loop), frame));  // the loop's and the handle's
}

bool JoinShare::has_ended() const noexcept {
  return require().ended().is_unlimited();
}

void JoinShare::cancel() const noexcept {
  require().cancel();
}

Semaphore& JoinShare::ended() const noexcept {
  return require().ended();
}

TaskFrame JoinShare::take_frame() const noexcept {
  return require().take_frame();
}

SpawnedTask& JoinShare::require() const noexcept {
  if (task_ == nullptr)
    fail_precondition(
        "JoinHandle: there is no task (moved from?); ask it with `if (handle)` first");
  return *task_;
}

void JoinShare::release() noexcept {
  std::exchange(task_, nullptr)->release();
}

}  // namespace nearcall::inline v0::detail
