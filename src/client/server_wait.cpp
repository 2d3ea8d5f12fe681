// SPDX-License-Identifier: Apache-2.0
// Sleeping until a server is worth another attempt.
#include "client/server_wait.hpp"

#include "async/cancel_event.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace nearcall::inline v0::detail {
namespace {

/// How often it is tried where there are no descriptors to wait with.
constexpr Duration pause_without_descriptors = std::chrono::milliseconds(100);

struct EndSleep {
  EventLoop* loop;
  void operator()() const noexcept { loop->stop(); }
};

void end_sleep(void* loop) noexcept {
  static_cast<EventLoop*>(loop)->stop();
}

}  // namespace

void ServerWait::begin(Duration at_least) {
  timer_.set(std::max(server_->next_attempt(), loop_->clock().now() + at_least));
}

ThreadServerWait::ThreadServerWait(AwaitedServer& server)
    : wait_(server, Access::core(loop_), &ThreadServerWait::on_due, this) {
}

void ThreadServerWait::on_due(void* self) noexcept {
  auto& here = *static_cast<ThreadServerWait*>(self);
  here.is_due_ = true;
  here.loop_.stop();
}

bool ThreadServerWait::sleep(TimePoint until, const std::stop_token& stop) {
  LoopCore& core = Access::core(loop_);
  const Clock clock = core.clock();
  if (core.open()) {
    nap(std::min(pause_without_descriptors, until - clock.now()), stop);
    return clock.now() < until && !stop.stop_requested();
  }
  is_due_ = false;
  wait_.begin();
  Timer timer(core, &end_sleep, &loop_);
  timer.set(until);
  const std::stop_callback<EndSleep> on_stop(stop, EndSleep{&loop_});
  while (!is_due_ && clock.now() < until && !stop.stop_requested())
    loop_.run();
  return is_due_ && clock.now() < until;
}

void nap(Duration pause, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake_up;
  std::unique_lock lock(mutex);
  wake_up.wait_for(lock, stop, pause, [] { return false; });
  CancelEvent::catch_up();
}

}  // namespace nearcall::inline v0::detail
