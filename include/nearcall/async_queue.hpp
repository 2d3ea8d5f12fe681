// SPDX-License-Identifier: Apache-2.0
// AsyncQueue: values on their way from any thread to tasks.
#pragma once

#include <nearcall/async_event.hpp>
#include <nearcall/task.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

namespace detail {

/// The room and the items of a queue as two semaphores, both of which its end makes unlimited.
class QueuePermits {
 public:
  explicit QueuePermits(std::size_t capacity);
  QueuePermits(const QueuePermits&) = delete;
  QueuePermits& operator=(const QueuePermits&) = delete;
  ~QueuePermits();

  bool try_take_room() noexcept;
  bool try_take_item() noexcept;
  SemaphoreAwaiter take_room() noexcept;
  SemaphoreAwaiter take_item() noexcept;
  void give_room() noexcept;
  void give_item() noexcept;
  void close() noexcept;

 private:
  std::unique_ptr<Semaphore> room_;
  std::unique_ptr<Semaphore> items_;
};

}  // namespace detail

/// A bounded queue, first in, first out. Tasks take from it, on one loop or on several; whoever has
/// something puts it in, from any thread:
///
///     AsyncQueue<Event> events(64);
///     if (!events.try_push(std::move(event))) ++lost;           // on any thread
///     while (auto event = co_await events.pop()) handle(*event);   // in a task
///
/// Who waits is served in the order in which it came. Waiting needs an EventLoop on this thread.
///
/// Thread safety: any thread. REQUIRES: it outlives those who wait for it.
template <class T>
class AsyncQueue {
 public:
  /// For at most `capacity` values at a time. REQUIRES: capacity > 0.
  explicit AsyncQueue(std::size_t capacity) : permits_(capacity) {}
  AsyncQueue(const AsyncQueue&) = delete;
  AsyncQueue& operator=(const AsyncQueue&) = delete;

  /// False, and `value` is as before, if the queue is full or closed.
  [[nodiscard]] bool try_push(T&& value) { return permits_.try_take_room() && put(value); }
  /// Puts `value` in at once; where the queue is full, the oldest goes out for it. Gives back what
  /// is lost: that one, or `value` if the queue is closed or its room is promised to push()es.
  std::optional<T> push_evicting(T value) {
    std::unique_lock lock(mutex_);
    if (is_closed_) return value;
    if (permits_.try_take_room()) {
      values_.push_back(std::move(value));
      lock.unlock();
      permits_.give_item();
      return std::nullopt;
    }
    if (values_.empty()) return value;
    std::optional<T> oldest(std::move(values_.front()));
    values_.pop_front();
    values_.push_back(std::move(value));
    return oldest;
  }
  /// Without a value if the queue is empty, closed or not.
  [[nodiscard]] std::optional<T> try_pop() {
    return permits_.try_take_item() ? take() : std::nullopt;
  }
  /// `bool pushed = co_await queue.push(value);` waits for room; false if the queue is closed.
  Task<bool> push(T value) {
    static_assert(safe_in_co_await<T>, "push: g++ 12 needs a T with a constructor (docs/gcc12.md)");
    co_await permits_.take_room();
    co_return put(value);
  }
  /// `std::optional<T> value = co_await queue.pop();` waits for one; without a value once the queue
  /// is closed and empty. A value whose task is destroyed before it gets it stays in the queue.
  Task<std::optional<T>> pop() {
    co_await permits_.take_item();
    co_return take();
  }
  /// From now on nothing more goes in, and whoever waits is resumed. What is in it can be taken.
  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    permits_.close();
  }
  [[nodiscard]] bool is_closed() const noexcept {
    const std::lock_guard lock(mutex_);
    return is_closed_;
  }
  /// How many values are in it.
  [[nodiscard]] std::size_t size() const noexcept {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }

 private:
  /// REQUIRES: the caller has a permit for room.
  bool put(T& value) {
    {
      const std::lock_guard lock(mutex_);
      if (is_closed_) return false;
      values_.push_back(std::move(value));
    }
    permits_.give_item();
    return true;
  }
  /// REQUIRES: the caller has a permit for an item. Empty only if it is closed.
  std::optional<T> take() {
    std::optional<T> taken;
    const std::lock_guard lock(mutex_);
    if (values_.empty()) return taken;
    taken.emplace(std::move(values_.front()));
    values_.pop_front();
    permits_.give_room();  // with the mutex: push_evicting() finds it, or the value
    return taken;
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<T> values_;
  bool is_closed_ = false;
  detail::QueuePermits permits_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
