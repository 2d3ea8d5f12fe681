// SPDX-License-Identifier: Apache-2.0
// CallStage: what stands between a request's headers and its handler.
#pragma once

#include <nearcall/server_context.hpp>
#include <nearcall/service.hpp>
#include <nearcall/task.hpp>

#include <new>
#include <utility>

namespace nearcall::inline v0::detail {

/// Is asked about each call once its headers are here, before its messages are looked at: whoever
/// has something to say before a handler runs. It may wait; what comes meanwhile is kept, within
/// the connection's limits. Outlives the server's calls.
class CallStage {
 public:
  /// OK lets the call go on, anything else is its answer. Is told by `call` if it is cancelled.
  virtual Task<Status> pass(ServerContext& call) = 0;

 protected:
  ~CallStage() = default;
};

/// A stage at work, in the memory that the call's handler will have.
class RunningStage {
 public:
  using Done = void (*)(HandlerCall& call, const Status& answer);

  /// `done` is called on the call's loop when the stage has answered, and is gone. May be before
  /// this returns.
  static void start(CallStage& stage, HandlerCall& call, Done done) {
    static_assert(sizeof(RunningStage) <= HandlerCall::storage_size);
    RunningStage& self = *::new (call.storage()) RunningStage(done);
    try {
      self.task_ = stage.pass(call.context());
    } catch (...) {  // a stage that is no coroutine
      self.~RunningStage();
      return done(call, answer_exception());
    }
    detail::start(self.task_, &RunningStage::on_done, &call, &call.home());
  }
  /// Destroys it where it waits.
  static void destroy(HandlerCall& call) noexcept { of(call).~RunningStage(); }

 private:
  explicit RunningStage(Done done) noexcept : done_(done) {}

  static RunningStage& of(HandlerCall& call) noexcept {
    return *std::launder(reinterpret_cast<RunningStage*>(call.storage()));
  }
  static void on_done(void* argument) noexcept {
    auto& call = *static_cast<HandlerCall*>(argument);
    if (!call.home().is_here()) return call.continue_on_loop(&RunningStage::complete);
    complete(call);
  }
  static void complete(HandlerCall& call) noexcept;
  Status take_answer() noexcept;
  /// The answer where the stage threw what is being handled.
  static Status answer_exception() noexcept;

  Done done_;
  Task<Status> task_;
};

}  // namespace nearcall::inline v0::detail
