// SPDX-License-Identifier: Apache-2.0
// How a task starts, ends, and tells who waits for it.
#include <nearcall/task.hpp>

namespace nearcall::inline v0::detail {
namespace {

/// One start_child() on this thread's stack. Only this thread touches it.
struct StartScope {
  const TaskPromiseBase* child;
  StartScope* outer;
  bool has_finished;
};

constinit thread_local StartScope* innermost_start = nullptr;

}  // namespace

void TaskPromiseBase::begin() noexcept {
  if (state_ != State::lazy)
    fail_precondition("Task: awaited or spawned a second time; make another one");
  state_ = State::running;
}

// Out of line, and its locals with it: clang moves locals of an inlined await_suspend into the
// coroutine's frame, which another thread may have freed by the time that resume() returns here.
[[gnu::noinline]] bool TaskPromiseBase::start_child(std::coroutine_handle<> child,
                                                    TaskPromiseBase& promise,
                                                    std::coroutine_handle<> parent,
                                                    TaskHome* home) noexcept {
  promise.begin();
  promise.home_ = home;
  promise.continuation_ = parent.address();
  StartScope scope{&promise, innermost_start, /*has_finished=*/false};
  innermost_start = &scope;
  child.resume();
  innermost_start = scope.outer;  // from here on, child and parent may be gone
  return !scope.has_finished;
}

void TaskPromiseBase::start(std::coroutine_handle<> task,
                            TaskPromiseBase& promise,
                            OnDone on_done,
                            void* argument,
                            TaskHome* home) noexcept {
  promise.begin();
  promise.home_ = home;
  promise.on_done_ = on_done;
  promise.continuation_ = argument;
  task.resume();
}

// Out of line: a coroutine that moves between threads must not keep the address of a thread_local.
[[gnu::noinline]] std::coroutine_handle<> TaskPromiseBase::finish() noexcept {
  if (on_done_ != nullptr) {
    on_done_(continuation_);
    return std::noop_coroutine();
  }
  if (innermost_start != nullptr && innermost_start->child == this) {
    innermost_start->has_finished = true;
    return std::noop_coroutine();
  }
  return std::coroutine_handle<>::from_address(continuation_);
}

}  // namespace nearcall::inline v0::detail
