// SPDX-License-Identifier: Apache-2.0
// Task: results, exceptions, ownership, and who goes on where.
#include <nearcall/task.hpp>

#include <gtest/gtest.h>

#include <coroutine>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall {
namespace {

static_assert(!std::is_copy_constructible_v<Task<int>>);
static_assert(std::is_nothrow_move_constructible_v<Task<int>>);
static_assert(safe_in_co_await<std::string>);

/// Suspends whoever awaits it until resume() is called.
class Gate {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
  void await_resume() const noexcept {}

  void resume() { std::exchange(waiting_, {}).resume(); }
  bool is_waited_for() const { return static_cast<bool>(waiting_); }

 private:
  std::coroutine_handle<> waiting_;
};

/// Counts the objects that are alive.
class Alive {
 public:
  explicit Alive(int& count) : count_(&count) { ++*count_; }
  Alive(Alive&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Alive& operator=(Alive&&) = delete;
  ~Alive() {
    if (count_ != nullptr) --*count_;
  }

 private:
  int* count_;
};

class Done {
 public:
  static void on_done(void* self) noexcept { ++static_cast<Done*>(self)->count_; }
  int count() const { return count_; }

 private:
  int count_ = 0;
};

Task<int> ready_after(int value) {
  co_return value;
}

Task<std::string> concatenate(std::string left, std::string right) {
  co_return left + right;
}

Task<std::unique_ptr<int>> boxed(int value) {
  co_return std::make_unique<int>(value);
}

Task<int> failing(const char* what) {
  if (what != nullptr) throw std::runtime_error(what);
  co_return 0;
}

Task<Result<int>> not_found() {
  co_return Failure{Status(StatusCode::not_found, "no such thing")};
}

Task<> pass(Gate& gate, Alive) {
  co_await gate;
}

template <class T>
T run(Task<T> task) {
  Done done;
  detail::start(task, Done::on_done, &done);
  EXPECT_EQ(done.count(), 1);
  return detail::take_result(task);
}

TEST(Task, YieldsWhatTheCoroutineReturned) {
  EXPECT_EQ(run(ready_after(42)), 42);
  EXPECT_EQ(run(concatenate("near", "call")), "nearcall");
  EXPECT_EQ(*run(boxed(7)), 7);
}

TEST(Task, YieldsAResultMadeOfAFailure) {
  const Result<int> result = run(not_found());

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), StatusCode::not_found);
}

TEST(Task, RunsNothingBeforeItIsStarted) {
  int alive = 0;
  Gate gate;
  Task<> task = pass(gate, Alive(alive));

  EXPECT_FALSE(gate.is_waited_for());
  task = Task<>();
  EXPECT_EQ(alive, 0);
}

Task<> record(std::vector<std::string>& events, Gate& gate) {
  events.emplace_back("child starts");
  co_await gate;
  events.emplace_back("child ends");
}

Task<> record_parent(std::vector<std::string>& events, Gate& gate) {
  co_await record(events, gate);
  events.emplace_back("parent ends");
}

TEST(Task, ParentGoesOnWhenItsSuspendedChildEnds) {
  std::vector<std::string> events;
  Gate gate;
  Done done;
  Task<> task = record_parent(events, gate);

  detail::start(task, Done::on_done, &done);
  EXPECT_EQ(done.count(), 0);
  gate.resume();

  EXPECT_EQ(done.count(), 1);
  EXPECT_EQ(events, (std::vector<std::string>{"child starts", "child ends", "parent ends"}));
}

Task<std::string> caught(const char* what) {
  try {
    const int value = co_await failing(what);
    co_return std::to_string(value);
  } catch (const std::runtime_error& error) {
    co_return error.what();
  }
}

TEST(Task, ExceptionIsThrownAgainWhereItIsAwaited) {
  EXPECT_EQ(run(caught("broken")), "broken");
  EXPECT_EQ(run(caught(nullptr)), "0");
}

TEST(Task, TakingTheResultThrowsWhatLeftTheCoroutine) {
  Done done;
  Task<int> task = failing("broken");

  detail::start(task, Done::on_done, &done);

  EXPECT_TRUE(detail::has_thrown(task));
  EXPECT_THROW(detail::take_result(task), std::runtime_error);
}

Task<> pass_through(Gate& gate, int& alive) {
  const Alive here(alive);
  co_await pass(gate, Alive(alive));
}

TEST(Task, DestroyedWhereItIsSuspendedUnwindsAllThatItAwaits) {
  int alive = 0;
  Gate gate;
  Done done;
  {
    Task<> task = pass_through(gate, alive);
    detail::start(task, Done::on_done, &done);
    EXPECT_EQ(alive, 2);
  }

  EXPECT_EQ(alive, 0);
  EXPECT_EQ(done.count(), 0);
}

TEST(Task, MayBeDestroyedByWhoIsToldOfItsEnd) {
  int alive = 0;
  Gate gate;
  std::optional<Task<>> task = pass(gate, Alive(alive));
  detail::start(
      *task, [](void* owner) noexcept { static_cast<std::optional<Task<>>*>(owner)->reset(); },
      &task);

  gate.resume();

  EXPECT_FALSE(task.has_value());
  EXPECT_EQ(alive, 0);
}

TEST(Task, MayBeDestroyedInsideItsStart) {
  std::optional<Task<int>> task = ready_after(1);

  detail::start(
      *task, [](void* owner) noexcept { static_cast<std::optional<Task<int>>*>(owner)->reset(); },
      &task);

  EXPECT_FALSE(task.has_value());
}

Task<long> sum(int rounds) {
  long total = 0;
  for (int round = 0; round < rounds; ++round) {
    const int one = co_await ready_after(1);
    total += one;
  }
  co_return total;
}

TEST(Task, MillionReadyTasksInALoopNeedNoStack) {
  EXPECT_EQ(run(sum(1'000'000)), 1'000'000);
}

Task<> named(int& value) {
  Task<int> first = ready_after(1);
  Task<int> second = std::move(first);
  value = co_await std::move(second);
}

TEST(Task, NamedTaskIsAwaitedByMovingIt) {
  int value = 0;
  run(named(value));
  EXPECT_EQ(value, 1);
}

/// Goes on on a thread of its own, which may run before await_suspend has returned.
class NewThread {
 public:
  explicit NewThread(std::vector<std::jthread>& threads) : threads_(&threads) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    threads_->emplace_back([waiting] { waiting.resume(); });
  }
  void await_resume() const noexcept {}

 private:
  std::vector<std::jthread>* threads_;
};

Task<std::thread::id> move_away(std::vector<std::jthread>& threads) {
  co_await NewThread(threads);
  co_return std::this_thread::get_id();
}

Task<bool> follow(std::vector<std::jthread>& threads) {
  const std::thread::id there = co_await move_away(threads);
  co_return there == std::this_thread::get_id();
}

TEST(Task, ParentGoesOnOnTheThreadWhereItsChildEnded) {
  for (int round = 0; round < 100; ++round) {
    std::vector<std::jthread> threads;
    threads.reserve(1);
    Done done;
    Task<bool> task = follow(threads);

    detail::start(task, Done::on_done, &done);
    threads.clear();

    ASSERT_EQ(done.count(), 1);
    ASSERT_TRUE(detail::take_result(task));
  }
}

Task<int> give_seven() {
  co_return 7;
}
Task<void> await_twice() {
  Task<int> task = give_seven();
  const int first = co_await std::move(task);
  const int second = co_await std::move(task);  // await it once, and keep what it gives
  EXPECT_EQ(first, second);
}

TEST(TaskDeathTest, AwaitingATaskTwiceStopsTheProgram) {
  EXPECT_DEATH(run(await_twice()), "Task: awaited or spawned a second time; make another one");
}

TEST(TaskDeathTest, AwaitingNoTaskStopsTheProgram) {
  Task<int> none;
  EXPECT_DEATH(run(std::move(none)), "Task: there is none");
}

}  // namespace
}  // namespace nearcall
