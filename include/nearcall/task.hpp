// SPDX-License-Identifier: Apache-2.0
// Task<T>: a coroutine that yields one T.
#pragma once

#include <nearcall/access.hpp>
#include <nearcall/result.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

template <class T>
class Task;

/// g++ 12 destroys aggregate temporaries twice inside a co_await expression. Assert this next to
/// each type that callers pass to an awaited function, and give those that fail a constructor.
template <class T>
inline constexpr bool safe_in_co_await =
    !std::is_aggregate_v<T> || std::is_trivially_destructible_v<T>;

namespace detail {

void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

class TaskHome;

/// What every task's promise has, whatever it yields.
///
/// A parent is told of its child's end in one of two ways. A child that ends inside the parent's
/// await_suspend, on the same thread, only leaves a mark there, and the parent goes on without
/// having suspended: that is what keeps a loop over ready tasks from growing the stack
/// where g++ makes no tail calls (-O0, sanitizers). A child that ends later, or on another thread,
/// resumes the parent right there, even while the parent's first thread is still on its way out of
/// await_suspend: from the moment that it has started the child, that thread touches nothing but
/// its own stack. So no atomic is needed, and a parent always goes on where its child ended.
class TaskPromiseBase {
 public:
  using OnDone = void (*)(void*) noexcept;

  TaskPromiseBase() noexcept = default;
  TaskPromiseBase(const TaskPromiseBase&) = delete;
  TaskPromiseBase& operator=(const TaskPromiseBase&) = delete;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  class FinalAwaiter {
   public:
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().finish();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept {
    exception_ = std::current_exception();
    state_ = State::threw;
  }

  bool has_thrown() const noexcept { return state_ == State::threw; }
  /// What it has thrown.
  const std::exception_ptr& exception() const noexcept { return exception_; }
  /// Starts the task for a parent that awaits it; false if it has finished already.
  static bool start_child(std::coroutine_handle<> child,
                          TaskPromiseBase& promise,
                          std::coroutine_handle<> parent,
                          TaskHome* home) noexcept;
  /// Starts the task; calls on_done(argument) where and when it ends, perhaps before this returns.
  /// on_done may destroy the task.
  static void start(std::coroutine_handle<> task,
                    TaskPromiseBase& promise,
                    OnDone on_done,
                    void* argument,
                    TaskHome* home = nullptr) noexcept;
  /// The home of the coroutine, if it is a task and has one.
  template <class Promise>
  static TaskHome* home_of(std::coroutine_handle<Promise> coroutine) noexcept {
    if constexpr (std::derived_from<Promise, TaskPromiseBase>) {
      return coroutine.promise().home_;
    } else {
      return nullptr;
    }
  }

 protected:
  enum class State : std::uint8_t { lazy, running, returned, threw };

  ~TaskPromiseBase() = default;
  void rethrow_if_thrown() const {
    if (state_ == State::threw) std::rethrow_exception(exception_);
    if (state_ != State::returned) fail_precondition("Task: it has not finished yet; co_await it");
  }

  State state_ = State::lazy;

 private:
  void begin() noexcept;
  /// Tells the parent; returns what to run next on this thread.
  std::coroutine_handle<> finish() noexcept;

  OnDone on_done_ = nullptr;
  /// Where the root of this tree of tasks belongs; null if its owner does not care.
  TaskHome* home_ = nullptr;
  /// The argument of on_done_, or without it the address of the parent that awaits.
  void* continuation_ = nullptr;
  std::exception_ptr exception_;
};

template <class T>
class TaskPromise final : public TaskPromiseBase {
  static_assert(std::is_object_v<T>, "Task<T>: T is void or an object type");

 public:
  TaskPromise() noexcept {}
  TaskPromise(const TaskPromise&) = delete;
  TaskPromise& operator=(const TaskPromise&) = delete;
  ~TaskPromise() {
    if (state_ == State::returned) std::destroy_at(std::addressof(value_));
  }

  Task<T> get_return_object() noexcept;
  template <class U = T>
  requires std::convertible_to<U, T>
  void return_value(U&& value) {
    std::construct_at(std::addressof(value_), std::forward<U>(value));
    state_ = State::returned;
  }
  /// Where it lies, to be moved from.
  T&& take() {
    rethrow_if_thrown();
    return std::move(value_);
  }

 private:
  union {
    T value_;
  };
};

template <>
class TaskPromise<void> final : public TaskPromiseBase {
 public:
  Task<void> get_return_object() noexcept;
  void return_void() noexcept { state_ = State::returned; }
  void take() const { rethrow_if_thrown(); }
};

}  // namespace detail

/// A coroutine that has not started, or runs, and yields one T. Awaiting it starts it:
///
///     Task<int> answer() { co_return 42; }
///     int n = co_await answer();
///
/// Has one owner; destroying it where it waits unwinds it and all that it awaits, and cancels their
/// timers and waits. An exception that leaves the coroutine is thrown again where it is awaited.
/// The awaiting coroutine goes on, on the thread where the awaited one ended.
///
/// Thread safety: none; a task that is on its way to another thread must not be destroyed.
template <class T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using value_type = T;

  /// No task.
  Task() noexcept = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~Task() { reset(); }

  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> child) noexcept : child_(child) {}
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> parent) const noexcept {
      return detail::TaskPromiseBase::start_child(child_, child_.promise(), parent,
                                                  detail::TaskPromiseBase::home_of(parent));
    }
    T await_resume() const { return child_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> child_;
  };

  /// `co_await f()`, or of a named task `co_await std::move(task)`: it stays alive, but cannot be
  /// awaited again.
  Awaiter operator co_await() && noexcept { return Awaiter(require()); }

 private:
  friend detail::Access;

  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type>& require() noexcept {
    if (!handle_) detail::fail_precondition("Task: there is none (moved from?); make another one");
    return handle_;
  }
  void reset() noexcept {
    if (handle_) std::exchange(handle_, {}).destroy();
  }

  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Access::make<Task<T>>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Access::make<Task<void>>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

/// The coroutine of a task without the type of what it yields. Whoever has it destroys it.
struct TaskFrame {
  std::coroutine_handle<> coroutine;
  TaskPromiseBase* promise = nullptr;
};

template <class T>
TaskFrame release_frame(Task<T> task) noexcept {
  const auto handle = std::exchange(Access::handle(task), {});
  return {handle, &handle.promise()};
}
/// The task that `frame` was released from, or none.
template <class T>
Task<T> adopt_frame(TaskFrame frame) noexcept {
  if (!frame.coroutine) return Task<T>();
  return Access::make<Task<T>>(
      std::coroutine_handle<TaskPromise<T>>::from_address(frame.coroutine.address()));
}

/// Runs `task` without a coroutine that awaits it: calls on_done(argument) where and when it ends,
/// perhaps before this returns. on_done may destroy the task, or take_result() first.
template <class T>
void start(Task<T>& task,
           void (*on_done)(void*) noexcept,
           void* argument,
           TaskHome* home = nullptr) noexcept {
  const auto handle = Access::handle(task);
  TaskPromiseBase::start(handle, handle.promise(), on_done, argument, home);
}
/// What a task that is done returned, once; throws what it threw.
template <class T>
T take_result(Task<T>& task) {
  return Access::handle(task).promise().take();
}
/// Whether a task that is done ended with an exception.
template <class T>
bool has_thrown(Task<T>& task) noexcept {
  return Access::handle(task).promise().has_thrown();
}

}  // namespace detail
}  // namespace nearcall::inline v0

#pragma GCC visibility pop
