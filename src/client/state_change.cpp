// SPDX-License-Identifier: Apache-2.0
// Who waits for another state of a channel, on a thread or on a loop.
#include "client/state_change.hpp"

#include "async/loop_core.hpp"
#include "async/resume_later.hpp"
#include "async/run_member.hpp"
#include "base/check.hpp"

#include <nearcall/event_loop.hpp>

#include <algorithm>
#include <atomic>
#include <coroutine>

namespace nearcall::inline v0::detail {

/// Waits until the state may have changed, or until a time; may be awaited again.
class [[nodiscard]] StateAwaiter final : private StateWatcher {
 public:
  StateAwaiter(Backend& backend, LoopCore& loop) noexcept
      : backend_(&backend), loop_(&loop), timer_(loop, &StateAwaiter::on_time, this) {
    backend.watch(*this);
  }
  StateAwaiter(const StateAwaiter&) = delete;
  StateAwaiter& operator=(const StateAwaiter&) = delete;
  ~StateAwaiter() {
    backend_->unwatch(*this);
    loop_->cancel_posted(tell_);
  }

  void set_time(TimePoint until) { timer_.set(until); }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) noexcept {
    resume_.set(waiting);
    is_waiting_ = true;
  }
  void await_resume() noexcept { timer_.clear(); }

 private:
  /// The state may have changed since somebody looked, before he awaits this: tell() comes later.
  void on_state(ConnectivityState /*state*/) noexcept override {
    if (!is_told_.exchange(true)) loop_->post(tell_);
  }
  void tell() {
    is_told_ = false;
    go_on();
  }
  static void on_time(void* self) noexcept { static_cast<StateAwaiter*>(self)->go_on(); }
  void go_on() {
    if (std::exchange(is_waiting_, false)) loop_->schedule(resume_);
  }

  Backend* backend_;
  LoopCore* loop_;
  bool is_waiting_ = false;
  ResumeLater resume_;
  Timer timer_;
  std::atomic<bool> is_told_{false};
  RunMember<&StateAwaiter::tell> tell_{*this};
};

bool wait_for_state_change(Backend& backend, ConnectivityState from, TimePoint until) {
  if (EventLoop::running() != nullptr) {
    fail_precondition(
        "wait_for_state_change(): a thread that runs an EventLoop would wait for itself; co_await "
        "wait_for_state_change_async()");
  }
  return backend.wait_for_state_change(from, until);
}

/// What changes between a look at the state and the wait is told in a later turn.
Task<bool> wait_for_state_change_on_loop(std::shared_ptr<ChannelCore> channel,
                                         ConnectivityState from,
                                         TimePoint until) {
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    fail_precondition(
        "wait_for_state_change_async() needs a running EventLoop on its thread: spawn() or "
        "sync_wait() the coroutine that awaits it, or use wait_for_state_change()");
  }
  Backend& backend = channel->backend();
  const Clock clock = Access::core(*loop).clock();
  StateAwaiter change(backend, Access::core(*loop));
  for (;;) {
    if (backend.state() != from) co_return true;
    const TimePoint now = clock.now();
    if (now >= until) co_return false;
    change.set_time(std::min(until, deadline_after(now, backend.look_interval())));
    co_await change;
  }
}

}  // namespace nearcall::inline v0::detail
