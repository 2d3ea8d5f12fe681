// SPDX-License-Identifier: Apache-2.0
// An attempt to connect, driven by a loop of its own.
#include "client/connect_attempt.hpp"

#include "async/loop_core.hpp"
#include "transport/handshake.hpp"

#include <nearcall/event_loop.hpp>
#include <nearcall/resume_on.hpp>

#include <exception>
#include <optional>
#include <stop_token>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

struct StopLoop {
  EventLoop* loop;
  void operator()() const noexcept { loop->stop(); }
};

void stop_loop(void* loop) noexcept {
  static_cast<EventLoop*>(loop)->stop();
}

/// What the connector makes of it, on whatever thread it ends.
Task<Result<std::unique_ptr<Transport>>> ask(Connector& connector, const ConnectContext& context) {
  std::string failed = context.target();
  try {
    Task<Result<std::unique_ptr<Transport>>> task = connector.connect(context);
    if (task) {
      Result<std::unique_ptr<Transport>> made = co_await std::move(task);
      if (!made || *made != nullptr) co_return made;
      failed += ": the connector made no connection";
    } else {
      failed += ": the connector made no task";
    }
  } catch (const std::exception& error) {
    failed += ": the connector threw: ";
    failed += error.what();
  } catch (...) {
    failed += ": the connector threw";
  }
  co_return Status(StatusCode::unavailable, std::move(failed)).with_reason(StatusReason::misuse);
}

}  // namespace

Task<Result<std::unique_ptr<Transport>>> try_connect(std::shared_ptr<Connector> connector,
                                                     ConnectContext context) {
  EventLoop& loop = *EventLoop::current();
  Task<Result<std::unique_ptr<Transport>>> task = ask(*connector, context);
  Result<std::unique_ptr<Transport>> made = co_await std::move(task);
  co_await resume_on(loop);  // from wherever the connector ended
  if (!made) co_return made;
  const Result<void> shaken = co_await finish_handshake(**made, std::move(context));
  if (!shaken) co_return shaken.error();
  co_return made;
}

Result<std::unique_ptr<Transport>> connect_blocking(std::shared_ptr<Connector> connector,
                                                    ConnectContext context) {
  struct Done {
    EventLoop* loop;
    bool is_done = false;
  };
  const TimePoint deadline = context.deadline();
  const std::stop_token stop = context.cancellation();
  const std::string target = context.target();
  EventLoop loop(SpinPolicy::off());
  Done done{&loop};
  TaskHome home(Access::core(loop));
  Task<Result<std::unique_ptr<Transport>>> task;
  {
    const LoopCore::Entry entry(Access::core(loop));
    task = try_connect(std::move(connector), std::move(context));
    start(
        task,
        [](void* argument) noexcept {
          auto& finished = *static_cast<Done*>(argument);
          finished.is_done = true;
          finished.loop->stop();
        },
        &done, &home);
  }
  if (!done.is_done) {
    // Whoever waits here needs descriptors; one that never waits does not.
    if (const std::error_code error = Access::core(loop).open()) {
      home.await_return();
      return Failure{Status(StatusCode::unavailable,
                            target +
                                ": connecting has to wait, and cannot: epoll, eventfd or "
                                "timerfd: " +
                                error.message())
                         .with_reason(StatusReason::system_limit)};
    }
    Timer timer(Access::core(loop), &stop_loop, &loop);
    timer.set(deadline);
    const std::stop_callback<StopLoop> on_stop(stop, StopLoop{&loop});
    loop.run();
  }
  if (done.is_done) return take_result(task);
  home.await_return();
  if (stop.stop_requested()) {
    return Failure{Status(StatusCode::cancelled, target + ": cancelled while connecting")};
  }
  return Failure{Status(StatusCode::unavailable, target + ": the attempt to connect took too long")
                     .with_reason(StatusReason::no_answer)};
}

}  // namespace nearcall::inline v0::detail
