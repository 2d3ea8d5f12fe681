// SPDX-License-Identifier: Apache-2.0
// Task<T>: a coroutine that yields one T; what starts tasks, and what they can wait for.
#pragma once

#include <nearcall/result.hpp>

#include <chrono>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class EventLoop;
class ThreadPool;
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

class LoopCore;
class PostedResume;
class Runnable;

/// The loop that a tree of tasks belongs to, for an owner who may have to destroy the tree: that
/// must not happen while resume_on() has taken it to another thread.
///
///     at home ──resume_on(elsewhere)──► away ──resume_on(its loop), or its end──► at home
///
/// Thread safety: is_here() and bring_home() from any thread that runs the tree; await_return() and
/// the destructor from the loop's, or while nobody runs the loop.
class TaskHome {
 public:
  explicit TaskHome(LoopCore& loop) noexcept : loop_(&loop) {}
  TaskHome(const TaskHome&) = delete;
  TaskHome& operator=(const TaskHome&) = delete;
  ~TaskHome() {
    if (travels_ != nullptr) forget_travels();
  }

  bool is_here() const noexcept;
  bool is(const EventLoop& loop) const noexcept;
  /// Runs `work` on the loop; from now on nobody but the loop has a part in the tree.
  void bring_home(Runnable& work) noexcept;
  /// Returns when the tree is at home; takes it back from a queue, if it waits in one. Says so in
  /// the log if that takes longer than `quiet_wait`.
  void await_return(std::chrono::nanoseconds quiet_wait = std::chrono::seconds(1)) noexcept;

 private:
  friend PostedResume;
  struct Travels;

  void depart(PostedResume& on) noexcept;
  void arrive() noexcept;
  void give_up() noexcept;
  void forget_travels() noexcept;

  LoopCore* loop_;
  /// Made by the first departure.
  Travels* travels_ = nullptr;
};

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
    if (state_ != State::returned) fail_precondition("Task: result taken before it finished");
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
  T take() {
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

struct TaskAccess;

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
  friend promise_type;
  friend detail::TaskAccess;

  explicit Task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
  std::coroutine_handle<promise_type> require() const noexcept {
    if (!handle_) detail::fail_precondition("Task: there is none (moved from?)");
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
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

struct TaskAccess {
  template <class T>
  static std::coroutine_handle<TaskPromise<T>> handle(const Task<T>& task) noexcept {
    return task.require();
  }
};

/// Runs `task` without a coroutine that awaits it: calls on_done(argument) where and when it ends,
/// perhaps before this returns. on_done may destroy the task, or take_result() first.
template <class T>
void start(Task<T>& task,
           void (*on_done)(void*) noexcept,
           void* argument,
           TaskHome* home = nullptr) noexcept {
  const auto handle = TaskAccess::handle(task);
  TaskPromiseBase::start(handle, handle.promise(), on_done, argument, home);
}
/// What a task that is done returned, once; throws what it threw.
template <class T>
T take_result(Task<T>& task) {
  return TaskAccess::handle(task).promise().take();
}
/// Whether a task that is done ended with an exception.
template <class T>
bool has_thrown(const Task<T>& task) noexcept {
  return TaskAccess::handle(task).promise().has_thrown();
}

/// The loop that sync_wait() drives until `task` ends: the thread's, or one that it makes.
class SyncWaitLoop {
 public:
  SyncWaitLoop();
  SyncWaitLoop(const SyncWaitLoop&) = delete;
  SyncWaitLoop& operator=(const SyncWaitLoop&) = delete;
  ~SyncWaitLoop();
  void drive(std::coroutine_handle<> task, TaskPromiseBase& promise);

 private:
  std::unique_ptr<EventLoop> own_;
  EventLoop* loop_ = nullptr;
};

}  // namespace detail

/// Hands `task` to `loop`, which starts it in one of its next turns, and destroys it when it has
/// finished or when the loop goes. An exception that leaves it is logged and ends the program.
/// Call it from any thread.
void spawn(EventLoop& loop, Task<void> task);
/// spawn() on EventLoop::current(). REQUIRES: there is one.
void spawn(Task<void> task);

/// Runs `task` on the calling thread until it has finished: on the loop that is bound to the thread
/// (EventLoop::Binding), whose connections then last from one sync_wait() to the next, else on one
/// made for it, which goes with all that was spawned on it. A task that never waits costs no system
/// call. REQUIRES: no EventLoop runs on this thread (that loop would stand still: co_await the task
/// there).
template <class T>
T sync_wait(Task<T> task) {
  detail::SyncWaitLoop loop;
  Task<T> mine = std::move(task);  // goes before the loop does
  const auto handle = detail::TaskAccess::handle(mine);
  loop.drive(handle, handle.promise());
  return detail::take_result(mine);
}

namespace detail {

class Waiter;

/// Suspends until a deadline, a descriptor or a stop request, whichever is first; resumes on the
/// loop that it was awaited on. Holds the private Waiter, so that waiting allocates nothing.
class WaitAwaiter {
 public:
  WaitAwaiter(const WaitAwaiter&) = delete;
  WaitAwaiter& operator=(const WaitAwaiter&) = delete;
  ~WaitAwaiter();

  bool await_ready() noexcept;
  bool await_suspend(std::coroutine_handle<> waiting);

 protected:
  using TimePoint = std::chrono::steady_clock::time_point;
  enum class Outcome : std::uint8_t { none, deadline, ready, stopped };
  friend class Waiter;

  WaitAwaiter(TimePoint deadline, std::stop_token stop) noexcept
      : deadline_(deadline), stop_(std::move(stop)) {}
  WaitAwaiter(int fd, std::uint32_t events, TimePoint deadline, std::stop_token stop) noexcept
      : deadline_(deadline), stop_(std::move(stop)), fd_(fd), events_(events) {}
  Outcome outcome() const noexcept { return outcome_; }
  /// Takes the waiter down.
  void settle() noexcept;

  static constexpr std::size_t storage_size = 320;

 private:
  TimePoint deadline_;
  std::stop_token stop_;
  Waiter* waiter_ = nullptr;
  int fd_ = -1;
  std::uint32_t events_ = 0;
  Outcome outcome_ = Outcome::none;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

class [[nodiscard]] SleepAwaiter final : public WaitAwaiter {
 public:
  explicit SleepAwaiter(TimePoint deadline) noexcept : WaitAwaiter(deadline, {}) {}
  void await_resume() noexcept { settle(); }
};

class [[nodiscard]] StoppableSleepAwaiter final : public WaitAwaiter {
 public:
  StoppableSleepAwaiter(TimePoint deadline, std::stop_token stop) noexcept
      : WaitAwaiter(deadline, std::move(stop)) {}
  bool await_resume() noexcept {
    settle();
    return outcome() == Outcome::deadline;
  }
};

class [[nodiscard]] StopAwaiter final : public WaitAwaiter {
 public:
  explicit StopAwaiter(std::stop_token stop) noexcept
      : WaitAwaiter(TimePoint::max(), std::move(stop)) {}
  void await_resume() noexcept { settle(); }
};

class [[nodiscard]] FdAwaiter final : public WaitAwaiter {
 public:
  FdAwaiter(int fd, std::uint32_t events, TimePoint deadline, std::stop_token stop) noexcept
      : WaitAwaiter(fd, events, deadline, std::move(stop)) {}
  bool await_resume() noexcept {
    settle();
    return outcome() == Outcome::ready;
  }
};

/// Moves the awaiting coroutine to a loop or to a pool.
class [[nodiscard]] ResumeOnAwaiter {
 public:
  explicit ResumeOnAwaiter(EventLoop& loop) noexcept : loop_(&loop) {}
  explicit ResumeOnAwaiter(ThreadPool& pool) noexcept : pool_(&pool) {}
  ResumeOnAwaiter(const ResumeOnAwaiter&) = delete;
  ResumeOnAwaiter& operator=(const ResumeOnAwaiter&) = delete;
  ~ResumeOnAwaiter();

  bool await_ready() const noexcept;
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> moving) {
    suspend(moving, TaskPromiseBase::home_of(moving));
  }
  void await_resume() const noexcept {}

 private:
  static constexpr std::size_t storage_size = 80;

  void suspend(std::coroutine_handle<> moving, TaskHome* home);

  EventLoop* loop_ = nullptr;
  ThreadPool* pool_ = nullptr;
  PostedResume* posted_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[storage_size];
};

}  // namespace detail

// What a task can wait for. sleep_for() and wait_…() need a running EventLoop on this thread, and
// resume on it.

/// `co_await sleep_for(5ms);`
detail::SleepAwaiter sleep_for(std::chrono::nanoseconds duration);
/// `bool slept = co_await sleep_for(5ms, token);` false: a stop was requested before, or meanwhile
/// (from any thread), and the task goes on at once.
detail::StoppableSleepAwaiter sleep_for(std::chrono::nanoseconds duration, std::stop_token stop);

/// `co_await wait_readable(fd);` until a read would not block; false if `deadline` passed or a stop
/// was requested before that. A descriptor that cannot be waited for counts as ready: the read
/// tells why. Where the system is short of descriptors, the loop looks every 10 ms instead.
detail::FdAwaiter wait_readable(
    int fd,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
    std::stop_token stop = std::stop_token());
/// The same for writing, and for a connect() in progress.
detail::FdAwaiter wait_writable(
    int fd,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max(),
    std::stop_token stop = std::stop_token());

/// `co_await resume_on(loop);` goes on on that loop's thread; at once if it is there.
inline detail::ResumeOnAwaiter resume_on(EventLoop& loop) noexcept {
  return detail::ResumeOnAwaiter(loop);
}
/// `co_await resume_on(pool);` goes on on a thread of the pool. A handler of a server is brought
/// back to its loop when it ends; until then its call, and so the server, waits for it.
inline detail::ResumeOnAwaiter resume_on(ThreadPool& pool) noexcept {
  return detail::ResumeOnAwaiter(pool);
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
