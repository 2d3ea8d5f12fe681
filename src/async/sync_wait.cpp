// SPDX-License-Identifier: Apache-2.0
// The loop that sync_wait() drives, and how its turns end.
#include "async/loop_core.hpp"
#include "async/runnable.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/sync_wait.hpp>

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

}  // namespace

SyncWaitLoop::SyncWaitLoop() {
  if (EventLoop::running() != nullptr) {
    fail_precondition(
        "sync_wait on a thread that runs an EventLoop, which would stand still: co_await the task");
  }
  loop_ = EventLoop::current();  // that is bound to the thread
  if (loop_ != nullptr) return;
  own_ = std::make_unique<EventLoop>();
  loop_ = own_.get();
}

SyncWaitLoop::~SyncWaitLoop() = default;

void SyncWaitLoop::drive(std::coroutine_handle<> task, TaskPromiseBase& promise) {
  Finish finish(loop_->core());
  {
    const LoopCore::Entry entry(loop_->core());
    TaskPromiseBase::start(task, promise, Finish::on_done, &finish);
  }
  if (!finish.is_done()) loop_->core().run_until(finish.is_done());
}

}  // namespace nearcall::inline v0::detail
