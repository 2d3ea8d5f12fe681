// SPDX-License-Identifier: Apache-2.0
// How a scope's tasks start, end and are cancelled.
#include "async/busy_meter.hpp"
#include "async/loop_core.hpp"
#include "async/runnable.hpp"
#include "base/log.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/task_scope.hpp>

#include <coroutine>
#include <exception>
#include <utility>

namespace nearcall::inline v0 {
namespace detail {

/// The tasks of one scope, and those who wait for them.
class ScopeCore {
 public:
  explicit ScopeCore(LoopCore& loop) noexcept : loop_(&loop) {}
  ScopeCore(const ScopeCore&) = delete;
  ScopeCore& operator=(const ScopeCore&) = delete;
  ~ScopeCore() { cancel(); }

  LoopCore& loop() const noexcept { return *loop_; }
  bool empty() const noexcept { return tasks_.empty(); }
  void spawn(Task<void> task);
  void cancel() noexcept;

  /// Suspends until the scope is empty.
  class Joiner final : public Runnable {
   public:
    explicit Joiner(ScopeCore& scope) noexcept : scope_(&scope) {}
    bool await_ready() const noexcept { return scope_->empty(); }
    void await_suspend(std::coroutine_handle<> waiting) noexcept {
      waiting_ = Suspended(waiting);
      scope_->joiners_.push_back(*this);
    }
    void await_resume() const noexcept {}
    void run() noexcept override { waiting_.resume(); }

   private:
    ScopeCore* scope_;
    Suspended waiting_;
  };

 private:
  class Member;

  void note_end() noexcept {
    if (!empty()) return;
    while (Runnable* const joiner = joiners_.pop_front())
      loop_->schedule(*joiner);
  }

  LoopCore* loop_;
  IntrusiveList<Member> tasks_;
  IntrusiveList<Runnable> joiners_;
};

/// A place in the scope's list, apart from that in the loop's queues.
class ScopeCore::Member : public ListHook {
 public:
  Member(ScopeCore& scope, Task<void> task) noexcept
      : scope_(&scope), home_(*scope.loop_), task_(std::move(task)), work_(*this) {
    scope.loop_->schedule(work_);
  }
  ~Member() {
    home_.await_return();
    scope_->loop_->cancel_posted(work_);
  }

 private:
  class Work final : public Runnable {
   public:
    explicit Work(Member& member) noexcept : member_(&member) {}
    void run() noexcept override { member_->run(); }

   private:
    Member* member_;
  };

  /// On the loop: to begin with, and once more if the task ended elsewhere.
  void run() noexcept {
    if (is_done_) return finish();
    start(
        task_, [](void* self) noexcept { static_cast<Member*>(self)->on_done(); }, this, &home_);
  }
  void on_done() noexcept {
    if (has_thrown(task_)) terminate();
    is_done_ = true;
    if (home_.is_here()) {
      finish();
    } else {
      home_.bring_home(work_);
    }
  }
  void finish() noexcept {
    ScopeCore& scope = *scope_;
    delete this;
    scope.note_end();
  }
  [[noreturn]] void terminate() noexcept {
    try {
      take_result(task_);
    } catch (const std::exception& error) {
      log(LogLevel::error, "an exception left a task of a TaskScope: ", error.what());
    } catch (...) {
      log(LogLevel::error, "an exception left a task of a TaskScope");
    }
    std::terminate();
  }

  ScopeCore* scope_;
  TaskHome home_;
  Task<void> task_;
  Work work_;
  bool is_done_ = false;
};

void ScopeCore::spawn(Task<void> task) {
  tasks_.push_back(*new Member(*this, std::move(task)));  // deletes itself when it has ended
}

void ScopeCore::cancel() noexcept {
  while (Member* const task = tasks_.front())
    delete task;
  note_end();
}

}  // namespace detail

TaskScope::TaskScope(EventLoop& loop) : core_(std::make_unique<detail::ScopeCore>(loop.core())) {
}

TaskScope::TaskScope() {
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    detail::fail_precondition(
        "TaskScope: this thread has no EventLoop; make it in a task, or pass the loop");
  }
  core_ = std::make_unique<detail::ScopeCore>(loop->core());
}

TaskScope::~TaskScope() = default;

void TaskScope::spawn(Task<void> task) {
  EventLoop* const here = EventLoop::running();
  if (here != nullptr && here != &core_->loop().owner()) {
    detail::fail_precondition("TaskScope: used on another loop's thread; spawn() there instead");
  }
  core_->spawn(std::move(task));
}

void TaskScope::cancel() noexcept {
  core_->cancel();
}

bool TaskScope::empty() const noexcept {
  return core_->empty();
}

Task<void> TaskScope::join() {
  while (!core_->empty()) {
    detail::ScopeCore::Joiner joiner(*core_);
    co_await joiner;
  }
}

}  // namespace nearcall::inline v0
