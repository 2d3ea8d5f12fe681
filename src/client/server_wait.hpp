// SPDX-License-Identifier: Apache-2.0
// ServerWait: when to try again to connect, for whoever waits for a server.
#pragma once

#include "async/loop_core.hpp"
#include "base/clock.hpp"

#include <nearcall/event_loop.hpp>

#include <stop_token>

namespace nearcall::inline v0::detail {

/// A server that is waited for, as the attempts to connect to it tell.
///
/// Thread safety: any thread.
class AwaitedServer {
 public:
  /// When whoever waits for it tries again.
  virtual TimePoint next_attempt() = 0;

 protected:
  ~AwaitedServer() = default;
};

/// Says on a loop when the next attempt to connect to a server is due.
///
/// Thread safety: the loop's thread.
class ServerWait {
 public:
  ServerWait(AwaitedServer& server,
             LoopCore& loop,
             TimerNode::Callback due,
             void* argument) noexcept
      : server_(&server), loop_(&loop), timer_(loop, due, argument) {}
  ServerWait(const ServerWait&) = delete;
  ServerWait& operator=(const ServerWait&) = delete;

  /// Has `due` called when there is to be another attempt, `at_least` that much later than now.
  /// REQUIRES: this thread runs the loop, or will.
  void begin(Duration at_least = Duration::zero());
  void end() noexcept { timer_.clear(); }

 private:
  AwaitedServer* server_;
  LoopCore* loop_;
  Timer timer_;
};

/// The same for a thread, which sleeps.
///
/// Thread safety: none.
class ThreadServerWait {
 public:
  explicit ThreadServerWait(AwaitedServer& server);
  ThreadServerWait(const ThreadServerWait&) = delete;
  ThreadServerWait& operator=(const ThreadServerWait&) = delete;

  /// Sleeps until there is to be another attempt; false at `until`, or when `stop` is requested.
  bool sleep(TimePoint until, const std::stop_token& stop);

 private:
  static void on_due(void* self) noexcept;

  EventLoop loop_{SpinPolicy::off()};
  bool is_due_ = false;
  ServerWait wait_;
};

/// Sleeps for `pause`, or until `stop` is requested.
void nap(Duration pause, const std::stop_token& stop);

}  // namespace nearcall::inline v0::detail
