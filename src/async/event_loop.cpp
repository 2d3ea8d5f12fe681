// SPDX-License-Identifier: Apache-2.0
// EventLoop: the face of a LoopCore, and which loop a thread is inside of.
#include "async/loop_core.hpp"
#include "async/thread_loops.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/result.hpp>

#include <memory>
#include <utility>

namespace nearcall::inline v0 {

EventLoop::EventLoop(SpinPolicy spin) : core_(std::make_unique<detail::LoopCore>(*this, spin)) {
}

/// In a forked child it is the parent's: its tasks may run there right now, on other threads, and
/// what those threads held here nobody will release. All stays as it is.
EventLoop::~EventLoop() {
  if (!core_->is_inherited()) return;
  core_->leave_thread();
  static_cast<void>(core_.release());
}

// Out of line: a coroutine that moves between threads must not keep the address of a thread_local.
[[gnu::noinline]] EventLoop* EventLoop::current() noexcept {
  if (EventLoop* const running = detail::thread_loops.running) return running;
  EventLoop* const bound = detail::thread_loops.bound;
  return bound != nullptr && bound->core_->is_inherited() ? nullptr : bound;
}

[[gnu::noinline]] EventLoop* EventLoop::running() noexcept {
  return detail::thread_loops.running;
}

bool EventLoop::is_in_this_thread() const noexcept {
  return core_->is_in_this_thread();
}

EventLoop::Binding::Binding(EventLoop& loop) noexcept
    : loop_(&loop), outer_(std::exchange(detail::thread_loops.bound, &loop)) {
}

EventLoop::Binding::~Binding() {
  if (detail::thread_loops.bound == loop_) detail::thread_loops.bound = outer_;
}

void EventLoop::run() {
  core_->run();
}

void EventLoop::stop() noexcept {
  core_->stop();
}

Result<void> EventLoop::open() {
  if (const std::error_code error = core_->open()) {
    return Failure{
        Status::resource_exhausted("EventLoop: epoll, eventfd or timerfd: " + error.message())
            .with_reason(StatusReason::system_limit)};
  }
  return {};
}

int EventLoop::fd() {
  return core_->fd();
}

void EventLoop::poll() {
  core_->poll();
}

void EventLoop::post(UniqueFunction<void()> work) {
  if (!work) detail::fail_precondition("EventLoop::post: the function is empty; give it one");
  core_->post(std::move(work));
}

void detail::set_time_source(EventLoop& loop, TimeSource source) noexcept {
  LoopCore& core = Access::core(loop);
  if (source.read == nullptr) {
    core.set_clocks({});
    core.set_spin(core.spin_policy());
  } else {
    const Clock clock(source.read, source.argument);
    core.set_clocks({clock, clock});
    core.set_spin(SpinPolicy::off());  // it would spin until that time moves
  }
}

}  // namespace nearcall::inline v0
