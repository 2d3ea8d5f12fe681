// SPDX-License-Identifier: Apache-2.0
// Attempts to connect that no call asks for.
#include "client/eager_connect.hpp"

#include "async/busy_meter.hpp"
#include "async/resume_later.hpp"
#include "client/loop_backend.hpp"
#include "client/transient_failure.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/wait.hpp>

#include <algorithm>
#include <coroutine>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

Status misuse(const char* what) {
  return Status(StatusCode::failed_precondition, what).with_reason(StatusReason::misuse);
}

}  // namespace

/// Waits until the server has said something on the connection of a loop, or will not.
class [[nodiscard]] LoopConnectAwaiter final : private WaitingCall {
 public:
  LoopConnectAwaiter(Backend& backend, LoopCore& loop) noexcept
      : WaitingCall(For::word), backend_(&backend), loop_(&loop) {}
  LoopConnectAwaiter(const LoopConnectAwaiter&) = delete;
  LoopConnectAwaiter& operator=(const LoopConnectAwaiter&) = delete;
  ~LoopConnectAwaiter() {
    if (here_ == nullptr) return;
    WaitingCall::unlink();
    here_->on_call_over();
  }

  bool await_ready() const noexcept { return false; }
  /// Whether it has to wait.
  bool await_suspend(std::coroutine_handle<> waiting) {
    here_ = &LoopBackend::of(*backend_, *loop_);
    here_->begin(*this);
    if (here_ == nullptr) return false;
    resume_.set(waiting);
    is_suspended_ = true;
    return true;
  }
  Status await_resume() noexcept { return std::move(status_); }

 private:
  void open_on(ClientConnection& /*connection*/) override { finish(Status()); }
  void on_failed(const Status& why) override { finish(why); }
  void on_unsent(const Status& why) override { finish(why); }
  void finish(Status status) {
    status_ = std::move(status);
    std::exchange(here_, nullptr)->on_call_over();
    if (is_suspended_) loop_->schedule(resume_);
  }

  Backend* backend_;
  LoopCore* loop_;
  /// Null before it begins, and once it is over.
  LoopBackend* here_ = nullptr;
  bool is_suspended_ = false;
  ResumeLater resume_;
  Status status_;
};

Status connect_eagerly(Backend& backend, Duration patience) {
  if (EventLoop::running() != nullptr) {
    return misuse(
        "connect(): a thread that runs an EventLoop would wait for itself; co_await "
        "connect_async()");
  }
  if (!backend.misuse().ok()) return backend.misuse();
  const TimePoint until = deadline_after(backend.clock().now(), patience);
  for (;;) {
    Status status = backend.ensure_connection(until);
    if (status.ok() || !may_pass(status) || backend.clock().now() >= until) return status;
  }
}

Task<Status> connect_eagerly_on_loop(std::shared_ptr<ChannelCore> channel, Duration patience) {
  EventLoop* const loop = EventLoop::current();
  if (loop == nullptr) {
    co_return misuse(
        "connect_async() needs a running EventLoop on its thread: spawn() or sync_wait() the "
        "coroutine that awaits it, or use connect()");
  }
  Backend& backend = channel->pick();
  if (!backend.misuse().ok()) co_return backend.misuse();
  const Clock clock = Access::core(*loop).clock();
  const TimePoint until = deadline_after(clock.now(), patience);
  for (;;) {
    LoopConnectAwaiter attempt(backend, Access::core(*loop));
    Status status = co_await attempt;
    if (status.ok() || !may_pass(status)) co_return status;
    const TimePoint now = clock.now();
    const TimePoint next = std::max(backend.next_attempt(), now);
    if (next >= until) co_return status;
    co_await sleep_for(next - now);
  }
}

}  // namespace nearcall::inline v0::detail
