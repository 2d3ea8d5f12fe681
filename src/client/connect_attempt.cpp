// SPDX-License-Identifier: Apache-2.0
// An attempt to connect, driven by a loop of its own.
#include "client/connect_attempt.hpp"

#include "async/loop_core.hpp"

#include <nearcall/event_loop.hpp>

#include <exception>
#include <optional>
#include <stop_token>
#include <utility>

namespace nearcall::detail {
namespace {

struct StopLoop {
  EventLoop* loop;
  void operator()() const noexcept { loop->stop(); }
};

void stop_loop(void* loop) noexcept {
  static_cast<EventLoop*>(loop)->stop();
}

}  // namespace

Result<std::unique_ptr<Connection>> connect_blocking(Connector& connector, ConnectContext context) {
  struct Done {
    EventLoop* loop;
    bool is_done = false;
  };
  const TimePoint deadline = context.deadline();
  const std::stop_token stop = context.cancellation();
  const std::string target = context.target();
  EventLoop loop(SpinPolicy::off());
  Done done{&loop};
  Task<Result<std::unique_ptr<Connection>>> task;
  {
    const LoopCore::Entry entry(loop.core());
    task = connector.connect(std::move(context));
    start(
        task,
        [](void* argument) noexcept {
          auto& finished = *static_cast<Done*>(argument);
          finished.is_done = true;
          finished.loop->stop();
        },
        &done);
  }
  if (!done.is_done) {
    Timer timer(loop.core(), &stop_loop, &loop);
    timer.set(deadline);
    const std::stop_callback<StopLoop> on_stop(stop, StopLoop{&loop});
    loop.run();
  }
  if (done.is_done) {
    try {
      return take_result(task);
    } catch (const std::exception& error) {
      return Failure{
          Status(StatusCode::unavailable, target + ": the connector threw: " + error.what())};
    } catch (...) {
      return Failure{Status(StatusCode::unavailable, target + ": the connector threw")};
    }
  }
  if (stop.stop_requested()) {
    return Failure{Status(StatusCode::cancelled, target + ": cancelled while connecting")};
  }
  return Failure{
      Status(StatusCode::unavailable, target + ": the attempt to connect took too long")};
}

}  // namespace nearcall::detail
