// SPDX-License-Identifier: Apache-2.0
// What when_all() and when_any() need, and say if they have not got it.
#include <nearcall/event_loop.hpp>
#include <nearcall/result.hpp>
#include <nearcall/when.hpp>

#include <string>

namespace nearcall::inline v0::detail {

EventLoop& loop_for(const char* function) noexcept {
  EventLoop* const loop = EventLoop::current();
  if (loop != nullptr) return *loop;
  const std::string what =
      std::string(function) + ": awaited on a thread that has no EventLoop; resume_on(loop) first";
  fail_precondition(what.c_str());
}

void fail_without_tasks() noexcept {
  fail_precondition("when_any: there is no task that could end; pass one at least");
}

}  // namespace nearcall::inline v0::detail
