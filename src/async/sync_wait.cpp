// SPDX-License-Identifier: Apache-2.0
// The loop that sync_wait() drives, and how its turns end.
#include "async/kept_loop.hpp"
#include "async/loop_core.hpp"
#include "async/runnable.hpp"
#include "base/fork_mark.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

#include <cstdint>
#include <memory>

namespace nearcall::inline v0::detail {
namespace {

/// Ends the turns of sync_wait() on its own thread, wherever the task ended.
class Finish final : public Runnable {
 public:
  explicit Finish(LoopCore& core) noexcept : core_(&core) {}

  static void on_done(void* self) noexcept {
    auto& finish = *static_cast<Finish*>(self);
    if (finish.core_->is_in_this_thread()) {
      finish.run();
    } else {
      finish.core_->post(finish);
    }
  }
  void run() noexcept override { is_done_ = true; }
  const bool& is_done() const noexcept { return is_done_; }

 private:
  LoopCore* core_;
  bool is_done_ = false;
};

/// The loop that a thread keeps from one sync_wait() to the next; ends with the thread.
class KeptLoop {
 public:
  /// Null while the thread ends.
  static EventLoop* get() {
    if (state == State::gone) return nullptr;
    KeptLoop& kept = instance();
    if (kept.loop_ == nullptr || !kept.made_in_.is_in_maker()) kept.make();
    return kept.loop_.get();
  }
  /// Null where there is none yet.
  static EventLoop* find() {
    if (state != State::made || !instance().made_in_.is_in_maker()) return nullptr;
    return instance().loop_.get();
  }

 private:
  enum class State : std::uint8_t { none, made, gone };

  KeptLoop() = default;
  ~KeptLoop() {
    state = State::gone;
    release_if_forked();
  }
  // Out of line: a coroutine that moves between threads must not keep a thread_local's address.
  [[gnu::noinline]] static KeptLoop& instance() {
    thread_local KeptLoop kept;
    return kept;
  }
  void make() {
    release_if_forked();
    loop_ = std::make_unique<EventLoop>();
    made_in_ = ForkMark();
    LoopCore::set_kept(loop_.get());
    state = State::made;
  }
  /// After a fork the loop is the parent's, down to its descriptors.
  void release_if_forked() noexcept {
    if (!made_in_.is_in_maker()) static_cast<void>(loop_.release());
  }

  static constinit thread_local State state;
  ForkMark made_in_;
  std::unique_ptr<EventLoop> loop_;
};

constinit thread_local KeptLoop::State KeptLoop::state = State::none;

}  // namespace

void turn_kept_loop() {
  EventLoop* const loop = EventLoop::running() == nullptr ? KeptLoop::find() : nullptr;
  if (loop == nullptr) return;
  const LoopCore::Entry entry(Access::core(*loop));
  Access::core(*loop).catch_up();
}

SyncWaitLoop::SyncWaitLoop() {
  if (EventLoop::running() != nullptr) {
    fail_precondition(
        "sync_wait on a thread that runs an EventLoop, which would stand still: co_await the task");
  }
  loop_ = EventLoop::current();  // that is bound to the thread
  if (loop_ != nullptr) return;
  loop_ = KeptLoop::get();
  if (loop_ == nullptr) {
    own_ = std::make_unique<EventLoop>();
    loop_ = own_.get();
  }
  ends_tasks_ = true;
  const LoopCore::Entry entry(Access::core(*loop_));
  Access::core(*loop_).catch_up();
}

SyncWaitLoop::~SyncWaitLoop() {
  if (!ends_tasks_) return;
  const LoopCore::Entry entry(Access::core(*loop_));
  Access::core(*loop_).destroy_tasks();
}

void SyncWaitLoop::drive(std::coroutine_handle<> task, TaskPromiseBase& promise) {
  Finish finish(Access::core(*loop_));
  {
    const LoopCore::Entry entry(Access::core(*loop_));
    TaskPromiseBase::start(task, promise, Finish::on_done, &finish);
  }
  if (!finish.is_done()) Access::core(*loop_).run_until(finish.is_done());
}

}  // namespace nearcall::inline v0::detail
