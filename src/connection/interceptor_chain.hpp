// SPDX-License-Identifier: Apache-2.0
// InterceptorChain: how the interceptors of one call begin, go on and end, on both sides.
#pragma once

#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "connection/message_tap.hpp"

#include <nearcall/interceptor.hpp>
#include <nearcall/resume_on.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace nearcall::inline v0::detail {

/// The interceptors of one call, each of which is a coroutine that waits for the next, and the last
/// one for the call itself; and how the call ends with them.
///
///     outside ──proceed()──► proceeding ──(the call is over)──► outside ──► done
///        └──────────────────────(they return)─────────────────────────────►┘
///
/// `Chain` derives from it, and says what its side does; `Interceptors` are pointers in a vector.
///
/// Thread safety: that of the call.
template <class Chain, class View, class Interceptors>
class InterceptorChain : public CallChain<View>, public MessageTap {
 public:
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  void start() {
    try {
      task_ = ask(0, outermost_);
    } catch (...) {  // an interceptor that is no coroutine
      Status status = status_of_thrown(side());
      chain().on_return();
      return complete(status);
    }
    detail::start(task_, &InterceptorChain::on_done, this, home_);
  }
  bool is_proceeding() const noexcept { return at_ == At::proceeding; }
  bool is_done() const noexcept { return at_ == At::done; }

 protected:
  enum class At : std::uint8_t { outside, proceeding, done };

  /// `interceptors` and `home` outlive it.
  InterceptorChain(Incoming incoming, const Interceptors& interceptors, TaskHome& home) noexcept
      : MessageTap(incoming), interceptors_(&interceptors), home_(&home) {}
  ~InterceptorChain() = default;

  // Of `Chain`:
  //   bool begin(std::coroutine_handle<> waiting);  the call itself begins; false: it has ended
  //   bool is_on_its_thread() const noexcept;
  //   bool has_one_reply() const noexcept;          whether that is what it is to have
  //   bool has_reply() const noexcept;              the call's, or one of their own
  //   void on_return() noexcept;                    they do not wait any more
  //   void end_with(Status& status);                the call ends so

  void leave() noexcept override {
    waiting_ = {};
    if (at_ == At::proceeding) at_ = At::outside;
  }
  Status take_end() override { return std::move(end_); }

  /// Interceptors that wait may look at the call once more while they go. `loop` is where those end
  /// that have left it.
  void destroy_interceptors(LoopCore& loop) noexcept {
    at_ = At::done;
    close();
    home_->await_return();
    if (std::exchange(has_ended_elsewhere_, false)) loop.cancel_posted(end_on_loop_);
    task_ = Task<Status>();
  }
  void note_done() noexcept {
    at_ = At::done;
    close();
  }
  /// Who waits for the call's end goes on.
  void resume_waiting() {
    if (waiting_) std::exchange(waiting_, {}).resume();
  }
  void complete(Status& status) {
    if (is_done()) return;
    if (!misuse_.ok()) {
      status = misuse_;
    } else if (status.ok()) {
      if (has_refused()) {
        status = refusal();
      } else if (chain().has_one_reply() && !chain().has_reply()) {
        status = chain().note_misuse("ended a call with OK and without a reply");
      }
    }
    chain().end_with(status);
  }

  At at_ = At::outside;
  bool has_begun_ = false;
  bool has_ended_elsewhere_ = false;
  std::coroutine_handle<> waiting_;
  /// Of the call itself.
  Status end_;
  /// The first one.
  Status misuse_;

 private:
  static void on_done(void* argument) noexcept {
    auto& self = *static_cast<InterceptorChain*>(argument);
    if (self.chain().is_on_its_thread()) return self.end();
    self.has_ended_elsewhere_ = true;
    self.home_->post_back(self.end_on_loop_);
  }
  static void resume(void* waiting) noexcept {
    std::coroutine_handle<>::from_address(waiting).resume();
  }

  bool proceed(std::size_t depth,
               View& inner,
               Task<Status>& task,
               std::coroutine_handle<> waiting) final {
    if (depth == interceptors_->size()) return chain().begin(waiting);
    task = ask(depth, inner);
    detail::start(task, &InterceptorChain::resume, waiting.address(), home_);
    return true;
  }
  Chain& chain() noexcept { return static_cast<Chain&>(*this); }
  Task<Status> ask(std::size_t depth, View& call) {
    Task<Status> task = (*interceptors_)[depth]->intercept(call);
    if (!task) throw std::logic_error("intercept() gave no task");
    return task;
  }
  void end() {
    has_ended_elsewhere_ = false;
    chain().on_return();
    if (is_done()) return;
    if (has_thrown(task_)) return end_thrown();
    Status&& status = Access::handle(task_).promise().take();  // where it lies
    complete(status);
  }
  void end_thrown() noexcept {
    try {
      static_cast<void>(take_result(task_));
    } catch (...) {
      Status status = status_of_thrown(side());
      complete(status);
    }
  }

  const Interceptors* interceptors_;
  TaskHome* home_;
  RunMember<&InterceptorChain::end> end_on_loop_{*this};
  View outermost_ = Access::make<View>(*this, std::size_t{0});
  Task<Status> task_;
};

}  // namespace nearcall::inline v0::detail
