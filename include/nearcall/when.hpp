// SPDX-License-Identifier: Apache-2.0
// when_all(), when_any(): several tasks at a time.
#pragma once

#include <nearcall/async_event.hpp>
#include <nearcall/resume_on.hpp>
#include <nearcall/task.hpp>
#include <nearcall/task_scope.hpp>

#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// What stands for the value of a Task<T> in a tuple or a variant.
template <class T>
using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// What became of one of several tasks.
template <class T>
struct Outcome {
  std::optional<Value<T>> value;
  std::exception_ptr thrown;

  Value<T> take() {
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*value);
  }
};

/// Which of several tasks ended first, told on `loop`.
struct First {
  explicit First(EventLoop& told_on) noexcept : loop(&told_on) {}
  EventLoop* loop;
  std::optional<std::size_t> index;
  AsyncEvent is_known;
};

template <class T>
Task<void> run_for(Outcome<T>& outcome, Task<T> task) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      outcome.value.emplace();
    } else {
      outcome.value.emplace(co_await std::move(task));
    }
  } catch (...) {
    outcome.thrown = std::current_exception();
  }
}

template <class T>
Task<void> race_for(Outcome<T>& outcome, Task<T> task, First& first, std::size_t index) {
  co_await run_for(outcome, std::move(task));
  co_await resume_on(*first.loop);
  if (!first.index) first.index = index;
  first.is_known.set();
}

template <class... T>
void run_all(TaskScope& scope, std::tuple<Outcome<T>...>& outcomes, Task<T>&... tasks) {
  std::apply(
      [&](Outcome<T>&... outcome) {
        (static_cast<void>(scope.spawn(run_for(outcome, std::move(tasks)))), ...);
      },
      outcomes);
}

template <class... T>
void race_all(TaskScope& scope,
              std::tuple<Outcome<T>...>& outcomes,
              First& first,
              Task<T>&... tasks) {
  std::size_t index = 0;
  std::apply(
      [&](Outcome<T>&... outcome) {
        (static_cast<void>(scope.spawn(race_for(outcome, std::move(tasks), first, index++))), ...);
      },
      outcomes);
}

/// The values in their order, or the first exception in it.
template <class... T>
std::tuple<Value<T>...> take_all(std::tuple<Outcome<T>...>& outcomes) {
  return std::apply(
      [](Outcome<T>&... outcome) { return std::tuple<Value<T>...>{outcome.take()...}; }, outcomes);
}

template <class... T, std::size_t... Index>
std::variant<Value<T>...> take_one(std::tuple<Outcome<T>...>& outcomes,
                                   std::size_t index,
                                   std::index_sequence<Index...>) {
  std::optional<std::variant<Value<T>...>> taken;
  (static_cast<void>(
       index == Index &&
       (taken.emplace(std::in_place_index<Index>, std::get<Index>(outcomes).take()), true)),
   ...);
  return std::move(*taken);
}

/// This thread's loop; without one the program ends with the name of `function`.
EventLoop& loop_for(const char* function) noexcept;

[[noreturn]] void fail_without_tasks() noexcept;

}  // namespace detail

/// `auto [user, jobs] = co_await when_all(get_user(), list_jobs());`: starts all tasks, and waits
/// for all. Gives their values in their order: a std::tuple, in which std::monostate stands for
/// what a Task<void> returns; nothing if all are of void. An exception is thrown again once all
/// have ended, the first in that order. Destroyed where it waits, it destroys those that have not
/// ended. REQUIRES: the thread has an EventLoop.
template <class... T>
requires(sizeof...(T) > 0 &&
         !(std::is_void_v<T> &&
           ...)) Task<std::tuple<detail::Value<T>...>> when_all(Task<T>... tasks) {
  std::tuple<detail::Outcome<T>...> outcomes;
  TaskScope scope(detail::loop_for("when_all"));
  detail::run_all(scope, outcomes, tasks...);
  co_await scope.join();
  co_return detail::take_all(outcomes);
}
template <class... T>
requires(sizeof...(T) > 0 && (std::is_void_v<T> && ...)) Task<void> when_all(Task<T>... tasks) {
  std::tuple<detail::Outcome<T>...> outcomes;
  TaskScope scope(detail::loop_for("when_all"));
  detail::run_all(scope, outcomes, tasks...);
  co_await scope.join();
  detail::take_all(outcomes);
}
/// The same for any number of tasks of one type, also none: a vector of their values.
template <class T>
requires(!std::is_void_v<T>) Task<std::vector<T>> when_all(std::vector<Task<T>> tasks) {
  std::vector<detail::Outcome<T>> outcomes(tasks.size());
  TaskScope scope(detail::loop_for("when_all"));
  for (std::size_t index = 0; index < tasks.size(); ++index)
    scope.spawn(detail::run_for(outcomes[index], std::move(tasks[index])));
  co_await scope.join();
  std::vector<T> values;
  values.reserve(outcomes.size());
  for (detail::Outcome<T>& outcome : outcomes)
    values.push_back(outcome.take());
  co_return values;
}
inline Task<void> when_all(std::vector<Task<void>> tasks) {
  std::vector<detail::Outcome<void>> outcomes(tasks.size());
  TaskScope scope(detail::loop_for("when_all"));
  for (std::size_t index = 0; index < tasks.size(); ++index)
    scope.spawn(detail::run_for(outcomes[index], std::move(tasks[index])));
  co_await scope.join();
  for (detail::Outcome<void>& outcome : outcomes)
    outcome.take();
}

/// `auto answer = co_await when_any(ask(), time_out());`: starts all tasks, and waits for the first
/// that ends; the others are destroyed where they wait, or waited for where resume_on() has them on
/// another thread. Gives a std::variant: its index() says which it was, and std::monostate stands
/// for what a Task<void> returns. The exception of the first is thrown again, those of the others
/// are dropped. REQUIRES: the thread has an EventLoop.
template <class... T>
requires(sizeof...(T) > 0) Task<std::variant<detail::Value<T>...>> when_any(Task<T>... tasks) {
  std::tuple<detail::Outcome<T>...> outcomes;
  EventLoop& loop = detail::loop_for("when_any");
  detail::First first(loop);
  TaskScope scope(loop);
  detail::race_all(scope, outcomes, first, tasks...);
  co_await first.is_known.wait();
  scope.cancel();
  co_return detail::take_one<T...>(outcomes, *first.index, std::index_sequence_for<T...>());
}
/// The same for tasks of one type: which it was, and its value. REQUIRES: there is one at least.
template <class T>
Task<std::pair<std::size_t, detail::Value<T>>> when_any(std::vector<Task<T>> tasks) {
  if (tasks.empty()) detail::fail_without_tasks();
  std::vector<detail::Outcome<T>> outcomes(tasks.size());
  EventLoop& loop = detail::loop_for("when_any");
  detail::First first(loop);
  TaskScope scope(loop);
  for (std::size_t index = 0; index < tasks.size(); ++index)
    scope.spawn(detail::race_for(outcomes[index], std::move(tasks[index]), first, index));
  co_await first.is_known.wait();
  scope.cancel();
  co_return std::pair<std::size_t, detail::Value<T>>(*first.index, outcomes[*first.index].take());
}

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
