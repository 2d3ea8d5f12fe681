// SPDX-License-Identifier: Apache-2.0
// The heap of deadlines.
#include "async/timer_queue.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t fan_out = 4;

constexpr std::size_t parent_of(std::size_t index) noexcept {
  return (index - 1) / fan_out;
}
constexpr std::size_t first_child_of(std::size_t index) noexcept {
  return index * fan_out + 1;
}

}  // namespace

void TimerQueue::set(TimerNode& node, TimePoint deadline) {
  const Entry entry{deadline, next_order_++, &node};
  if (node.is_set()) {
    fill(node.index_, entry);
    return;
  }
  heap_.push_back(entry);
  sift_up(heap_.size() - 1, entry);
}

void TimerQueue::clear(TimerNode& node) noexcept {
  if (!node.is_set()) return;
  const std::size_t gap = node.index_;
  node.index_ = TimerNode::unset;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (gap < heap_.size()) fill(gap, last);
}

TimerNode* TimerQueue::pop_due(TimePoint now) noexcept {
  if (next_deadline() > now || heap_.empty()) return nullptr;
  TimerNode* const due = heap_.front().node;
  clear(*due);
  return due;
}

void TimerQueue::place(std::size_t index, const Entry& entry) noexcept {
  heap_[index] = entry;
  entry.node->index_ = index;
}

void TimerQueue::fill(std::size_t index, const Entry& entry) noexcept {
  if (index > 0 && entry.is_before(heap_[parent_of(index)])) {
    sift_up(index, entry);
  } else {
    sift_down(index, entry);
  }
}

void TimerQueue::sift_up(std::size_t index, const Entry& entry) noexcept {
  while (index > 0 && entry.is_before(heap_[parent_of(index)])) {
    place(index, heap_[parent_of(index)]);
    index = parent_of(index);
  }
  place(index, entry);
}

void TimerQueue::sift_down(std::size_t index, const Entry& entry) noexcept {
  for (std::size_t child = first_child_of(index); child < heap_.size();
       child = first_child_of(index)) {
    const std::size_t end = std::min(child + fan_out, heap_.size());
    std::size_t earliest = child;
    for (std::size_t other = child + 1; other < end; ++other) {
      if (heap_[other].is_before(heap_[earliest])) earliest = other;
    }
    if (!heap_[earliest].is_before(entry)) break;
    place(index, heap_[earliest]);
    index = earliest;
  }
  place(index, entry);
}

}  // namespace nearcall::inline v0::detail
