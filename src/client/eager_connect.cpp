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
  void on_failed(const Status& why) override {
    if (!here_->try_elsewhere(*this, why)) finish(why);
  }
  void on_unsent(const Status& why) override { on_failed(why); }
  LoopBackend* move_to(LoopBackend& there) noexcept override {
    return std::exchange(here_, &there);
  }
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

/// Waits until the next attempt is due; may be awaited again.
class [[nodiscard]] LoopDueAwaiter final {
 public:
  LoopDueAwaiter(Backend& backend, LoopCore& loop, TimePoint until) noexcept
      : loop_(&loop),
        until_(until),
        wait_(backend, loop, &LoopDueAwaiter::on_due, this),
        timer_(loop, &LoopDueAwaiter::on_late, this) {}
  LoopDueAwaiter(const LoopDueAwaiter&) = delete;
  LoopDueAwaiter& operator=(const LoopDueAwaiter&) = delete;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    resume_.set(waiting);
    timer_.set(until_);
    wait_.begin();
  }
  /// False if its time has passed.
  bool await_resume() const noexcept { return is_due_; }

 private:
  static void on_due(void* self) noexcept { static_cast<LoopDueAwaiter*>(self)->finish(true); }
  static void on_late(void* self) noexcept { static_cast<LoopDueAwaiter*>(self)->finish(false); }
  void finish(bool is_due) {
    if (resume_.is_linked()) return;
    is_due_ = is_due;
    timer_.clear();
    loop_->schedule(resume_);
  }

  LoopCore* loop_;
  TimePoint until_;
  bool is_due_ = false;
  ResumeLater resume_;
  ServerWait wait_;
  Timer timer_;
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
  Backend& backend = channel->backend();
  if (!backend.misuse().ok()) co_return backend.misuse();
  const Clock clock = Access::core(*loop).clock();
  const TimePoint until = deadline_after(clock.now(), patience);
  LoopDueAwaiter due(backend, Access::core(*loop), until);
  for (;;) {
    LoopConnectAwaiter attempt(backend, Access::core(*loop));
    Status status = co_await attempt;
    if (status.ok() || !may_pass(status) || clock.now() >= until) co_return status;
    const bool is_in_time = co_await due;
    if (!is_in_time) co_return status;
  }
}

}  // namespace nearcall::inline v0::detail
