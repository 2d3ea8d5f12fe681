// SPDX-License-Identifier: Apache-2.0
// TimerQueue: deadlines in order. No I/O, no clock.
#pragma once

#include "base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcall::inline v0::detail {

/// One deadline's place in a TimerQueue. REQUIRES: in none when it is destroyed.
class TimerNode {
 public:
  using Callback = void (*)(void*) noexcept;

  TimerNode(Callback callback, void* argument) noexcept
      : callback_(callback), argument_(argument) {}
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  bool is_set() const noexcept { return index_ != unset; }
  void fire() const noexcept { callback_(argument_); }

 private:
  friend class TimerQueue;
  static constexpr std::size_t unset = static_cast<std::size_t>(-1);

  Callback callback_;
  void* argument_;
  std::size_t index_ = unset;
};

/// A heap with four children a node, ordered by deadline and then by time of insertion. Later
/// deadlines, the usual case, are inserted in constant time; the rest costs O(log n). It keeps its
/// room, so the steady state allocates nothing. Thread safety: none.
class TimerQueue {
 public:
  bool empty() const noexcept { return heap_.empty(); }
  std::size_t size() const noexcept { return heap_.size(); }
  /// The earliest deadline, or no_deadline.
  TimePoint next_deadline() const noexcept {
    return heap_.empty() ? no_deadline : heap_.front().deadline;
  }

  /// Sets `node`, or moves it if it is set.
  void set(TimerNode& node, TimePoint deadline);
  void clear(TimerNode& node) noexcept;
  /// Takes out the earliest node whose deadline has come, or returns null.
  TimerNode* pop_due(TimePoint now) noexcept;

 private:
  struct Entry {
    TimePoint deadline;
    std::uint64_t order;
    TimerNode* node;

    bool is_before(const Entry& other) const noexcept {
      return deadline != other.deadline ? deadline < other.deadline : order < other.order;
    }
  };

  void place(std::size_t index, const Entry& entry) noexcept;
  void sift_up(std::size_t index, const Entry& entry) noexcept;
  void sift_down(std::size_t index, const Entry& entry) noexcept;
  /// Puts `entry` into the gap at `index`.
  void fill(std::size_t index, const Entry& entry) noexcept;

  std::vector<Entry> heap_;
  std::uint64_t next_order_ = 0;
};

}  // namespace nearcall::inline v0::detail
