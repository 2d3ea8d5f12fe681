// SPDX-License-Identifier: Apache-2.0
// An event as a semaphore that has no permits, or is unlimited.
#include "async/semaphore.hpp"

#include <nearcall/async_event.hpp>

namespace nearcall::inline v0 {

AsyncEvent::AsyncEvent() : semaphore_(std::make_unique<detail::Semaphore>(/*permits=*/0U)) {
}

AsyncEvent::~AsyncEvent() = default;

void AsyncEvent::set() noexcept {
  semaphore_->set_unlimited(true);
}

void AsyncEvent::reset() noexcept {
  semaphore_->set_unlimited(false);
}

bool AsyncEvent::is_set() const noexcept {
  return semaphore_->is_unlimited();
}

detail::SemaphoreAwaiter AsyncEvent::wait() noexcept {
  return {*semaphore_,
          "AsyncEvent: wait() on a thread that has no EventLoop; resume_on(loop) first"};
}

}  // namespace nearcall::inline v0
