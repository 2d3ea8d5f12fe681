// SPDX-License-Identifier: Apache-2.0
// spawn(), sync_wait() and resume_on(): where tasks run.
#include "async/loop_core.hpp"
#include "async/posted_resume.hpp"
#include "async/runnable.hpp"
#include "base/log.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/task.hpp>
#include <nearcall/thread_pool.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {
namespace {

[[noreturn]] void terminate_for(Task<void>& task) noexcept {
  try {
    take_result(task);
  } catch (const std::exception& error) {
    log(LogLevel::error, "an exception left a spawned task: ", error.what());
  } catch (...) {
    log(LogLevel::error, "an exception left a spawned task");
  }
  std::terminate();
}

/// A task that its loop owns. Its first way into the loop is as posted work; if it ends on another
/// thread, so is its last.
class SpawnedTask final : public LoopOwned, public Runnable {
 public:
  SpawnedTask(LoopCore& core, Task<void> task) noexcept : core_(&core), task_(std::move(task)) {}

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  void run() noexcept override {
    if (is_done_) {
      delete this;
      return;
    }
    core_->adopt(*this);
    start(
        task_, [](void* self) noexcept { static_cast<SpawnedTask*>(self)->on_done(); }, this);
  }
  /// The loop goes: before the start, nobody else owns this.
  void discard() noexcept override {
    if (!LoopOwned::is_linked()) delete this;
  }

 private:
  void on_done() noexcept {
    if (has_thrown(task_)) terminate_for(task_);
    if (core_->is_in_this_thread()) {
      delete this;
    } else {
      is_done_ = true;
      core_->post(*this);
    }
  }

  LoopCore* core_;
  Task<void> task_;
  bool is_done_ = false;
};

/// Ends the turns of sync_wait() on its own thread, wherever the task ended.
class Finish final : public Runnable {
 public:
  explicit Finish(LoopCore& core) noexcept : core_(&core) {}

  static void on_done(void* self) noexcept {
    auto& finish = *static_cast<Finish*>(self);
    if (finish.core_->is_in_this_thread()) {
      finish.run();
    } else {
      finish.core_->post(finish);
    }
  }
  void run() noexcept override { is_done_ = true; }
  const bool& is_done() const noexcept { return is_done_; }

 private:
  LoopCore* core_;
  bool is_done_ = false;
};

}  // namespace

SyncWaitLoop::SyncWaitLoop() {
  if (EventLoop::running() != nullptr) {
    fail_precondition(
        "sync_wait on a thread that runs an EventLoop, which would stand still: co_await the task");
  }
  loop_ = EventLoop::current();  // that is bound to the thread
  if (loop_ != nullptr) return;
  own_ = std::make_unique<EventLoop>();
  loop_ = own_.get();
}

SyncWaitLoop::~SyncWaitLoop() = default;

void SyncWaitLoop::drive(std::coroutine_handle<> task, TaskPromiseBase& promise) {
  Finish finish(loop_->core());
  {
    const LoopCore::Entry entry(loop_->core());
    TaskPromiseBase::start(task, promise, Finish::on_done, &finish);
  }
  if (!finish.is_done()) loop_->core().run_until(finish.is_done());
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

}  // namespace detail

void spawn(EventLoop& loop, Task<void> task) {
  detail::LoopCore& core = loop.core();
  core.post(*new detail::SpawnedTask(core, std::move(task)));  // the loop's from now on
}

void spawn(Task<void> task) {
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) detail::fail_precondition("spawn: no EventLoop runs on this thread");
  spawn(*loop, std::move(task));
}

}  // namespace nearcall::inline v0
