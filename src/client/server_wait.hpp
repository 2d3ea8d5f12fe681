// SPDX-License-Identifier: Apache-2.0
// ServerWait: when to try again to connect, for whoever waits for a server.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/path_watch.hpp"
#include "async/run_member.hpp"
#include "base/clock.hpp"

#include <nearcall/connectivity_state.hpp>
#include <nearcall/event_loop.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// Is told whether a server can be reached, whenever that changes.
class StateWatcher : public ListHook {
 public:
  /// From any thread, under the server's lock: may not call it.
  virtual void on_state(ConnectivityState state) noexcept = 0;

 protected:
  ~StateWatcher() = default;
};

/// A server that is waited for, as the attempts to connect to it tell.
///
/// Thread safety: any thread.
class AwaitedServer {
 public:
  /// When whoever waits for it tries again.
  virtual TimePoint next_attempt() = 0;
  /// Where its socket file will be, or those of several; empty where that is not how it is found.
  virtual std::vector<std::string> paths() = 0;
  /// Something has changed at one of them.
  virtual void note_change_at_path() = 0;
  /// `watcher` is told of each state from now on, until unwatch().
  virtual void watch(StateWatcher& watcher) = 0;
  virtual void unwatch(StateWatcher& watcher) = 0;

 protected:
  ~AwaitedServer() = default;
};

/// Says on a loop when the next attempt to connect to a server is due: after the pause that the
/// attempts before have made, or as soon as somebody else has reached it. Where it will have a
/// socket file that is watched (PathWatch), and once more when that begins, so that nothing is
/// missed. As long as there is no file at all there is nothing to try either, but for one look a
/// second, since not all that changes a path can be seen. Where it cannot be watched, the pauses
/// count, and so they do for whoever has more than `most_paths`.
///
/// Thread safety: the loop's thread.
class ServerWait final : private StateWatcher {
 public:
  static constexpr std::size_t most_paths = 16;

  ServerWait(AwaitedServer& server,
             LoopCore& loop,
             TimerNode::Callback due,
             void* argument) noexcept;
  ServerWait(const ServerWait&) = delete;
  ServerWait& operator=(const ServerWait&) = delete;
  ~ServerWait() { end(); }

  /// Has `due` called when there is to be another attempt.
  void begin();
  void end() noexcept;

 private:
  static void on_change_at_path(void* self) noexcept;
  void on_state(ConnectivityState state) noexcept override;
  void on_reached();
  TimePoint next_attempt(TimePoint now);

  AwaitedServer* server_;
  LoopCore* loop_;
  bool is_begun_ = false;
  Timer timer_;
  std::vector<std::unique_ptr<PathWatch>> path_watches_;
  std::atomic<bool> is_told_{false};
  RunMember<&ServerWait::on_reached> tell_{*this};
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

/// Sleeps until then, or until `stop` is requested. Hears Cancellers meanwhile.
void sleep_until(TimePoint until, const std::stop_token& stop);

}  // namespace nearcall::inline v0::detail
