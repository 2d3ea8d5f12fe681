// SPDX-License-Identifier: Apache-2.0
// The permits of a queue.
#include "async/semaphore.hpp"

#include <nearcall/async_queue.hpp>
#include <nearcall/result.hpp>

namespace nearcall::inline v0::detail {
namespace {

constexpr const char* no_loop =
    "AsyncQueue: push() or pop() on a thread that has no EventLoop; resume_on(loop) first, or use "
    "try_push() or try_pop()";

}  // namespace

QueuePermits::QueuePermits(std::size_t capacity)
    : room_(std::make_unique<Semaphore>(capacity)), items_(std::make_unique<Semaphore>(0U)) {
  if (capacity == 0) fail_precondition("AsyncQueue: its capacity is 0; give it one at least");
}

QueuePermits::~QueuePermits() = default;

bool QueuePermits::try_take_room() noexcept {
  return room_->try_acquire();
}

bool QueuePermits::try_take_item() noexcept {
  return items_->try_acquire();
}

SemaphoreAwaiter QueuePermits::take_room() noexcept {
  return {*room_, no_loop};
}

SemaphoreAwaiter QueuePermits::take_item() noexcept {
  return {*items_, no_loop};
}

void QueuePermits::give_room() noexcept {
  room_->release();
}

void QueuePermits::give_item() noexcept {
  items_->release();
}

void QueuePermits::close() noexcept {
  room_->set_unlimited(true);
  items_->set_unlimited(true);
}

}  // namespace nearcall::inline v0::detail
