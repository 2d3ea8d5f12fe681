// SPDX-License-Identifier: Apache-2.0
// Sleeping until a server is worth another attempt.
#include "client/server_wait.hpp"

#include "async/cancel_event.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

/// How often a path is looked at that does not exist, and whose coming would be told.
constexpr Duration look_at_missing_path = std::chrono::seconds(1);

/// How often it is tried where there are no descriptors to wait with.
constexpr Duration pause_without_descriptors = std::chrono::milliseconds(100);

struct EndSleep {
  EventLoop* loop;
  void operator()() const noexcept { loop->stop(); }
};

void end_sleep(void* loop) noexcept {
  static_cast<EventLoop*>(loop)->stop();
}

/// Runs a loop that nobody else has until then, or until it was stopped with `is_done`.
void run_until(EventLoop& loop, TimePoint until, const std::stop_token& stop, const bool& is_done) {
  LoopCore& core = Access::core(loop);
  Timer timer(core, &end_sleep, &loop);
  timer.set(until);
  const std::stop_callback<EndSleep> on_stop(stop, EndSleep{&loop});
  while (!is_done && core.clock().now() < until && !stop.stop_requested())
    loop.run();
}

/// Where there are no descriptors.
void nap(TimePoint until, Clock clock, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake_up;
  std::unique_lock lock(mutex);
  wake_up.wait_for(lock, stop, until - clock.now(), [] { return false; });
  CancelEvent::catch_up();
}

}  // namespace

ServerWait::ServerWait(AwaitedServer& server,
                       LoopCore& loop,
                       TimerNode::Callback due,
                       void* argument) noexcept
    : server_(&server), loop_(&loop), timer_(loop, due, argument) {
}

void ServerWait::begin() {
  if (!std::exchange(is_begun_, true)) {
    server_->watch(*this);
    const std::vector<std::string> paths = server_->paths();
    for (const std::string& path : paths) {
      if (paths.size() > most_paths) break;
      path_watches_.push_back(
          std::make_unique<PathWatch>(*loop_, path, &ServerWait::on_change_at_path, this));
    }
  }
  timer_.set(next_attempt(loop_->clock().now()));
}

TimePoint ServerWait::next_attempt(TimePoint now) {
  const TimePoint usual = server_->next_attempt();
  bool has_missed = false;
  bool can_see = !path_watches_.empty();
  bool is_there = false;
  for (const std::unique_ptr<PathWatch>& watch : path_watches_) {
    const PathWatch::Armed armed = watch->arm();
    has_missed = has_missed || armed == PathWatch::Armed::now;
    can_see = can_see && armed != PathWatch::Armed::impossible;
    is_there = is_there || watch->is_there();
  }
  if (has_missed && can_see) return now;
  return is_there || !can_see ? usual : std::max(usual, now + look_at_missing_path);
}

void ServerWait::end() noexcept {
  timer_.clear();
  if (!std::exchange(is_begun_, false)) return;
  path_watches_.clear();
  server_->unwatch(*this);
  loop_->cancel_posted(tell_);
  is_told_ = false;
}

void ServerWait::on_change_at_path(void* self) noexcept {
  auto& here = *static_cast<ServerWait*>(self);
  here.server_->note_change_at_path();
  if (here.timer_.is_set()) here.timer_.set(here.server_->next_attempt());
}

void ServerWait::on_state(ConnectivityState state) noexcept {
  if (state == ConnectivityState::ready && !is_told_.exchange(true)) loop_->post(tell_);
}

void ServerWait::on_reached() {
  is_told_ = false;
  if (timer_.is_set()) timer_.set(loop_->clock().now());
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
  const Clock clock = Access::core(loop_).clock();
  if (Access::core(loop_).open()) {
    nap(std::min(until, clock.now() + pause_without_descriptors), clock, stop);
    return clock.now() < until && !stop.stop_requested();
  }
  is_due_ = false;
  wait_.begin();
  run_until(loop_, until, stop, is_due_);
  return is_due_ && clock.now() < until;
}

void sleep_until(TimePoint until, const std::stop_token& stop) {
  EventLoop loop(SpinPolicy::off());
  if (Access::core(loop).open()) return nap(until, Access::core(loop).clock(), stop);
  run_until(loop, until, stop, /*is_done=*/false);
}

}  // namespace nearcall::inline v0::detail
