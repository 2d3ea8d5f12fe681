// SPDX-License-Identifier: Apache-2.0
// ServerCore: the loops, threads and listeners of a server.
#pragma once

#include "async/signal_watch.hpp"
#include "base/fork_mark.hpp"
#include "server/listen_port.hpp"
#include "server/server_anchor.hpp"
#include "server/server_loop.hpp"
#include "server/server_shared.hpp"

#include <nearcall/server.hpp>

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace nearcall::inline v0::detail {

/// The loops, threads and listeners of a server.
///
///     idle ──start()──► serving ──stop()──► draining ──► stopped
///
/// A stop() before the start is remembered: then it takes no connection, and drains at once.
///
/// Thread safety: stop() from any thread; the rest from the server's, or on its first loop.
class ServerCore final : public ListenPort::Owner {
 public:
  ServerCore(EventLoop* loop, const ServerOptions& options);
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;
  ~ServerCore();

  ServerShared& shared() noexcept { return shared_; }
  bool is_started() const noexcept { return !loops_.empty(); }
  /// Whether this is a forked child of the process in which it started: the server is the parent's,
  /// and its threads are not here.
  bool is_inherited() const noexcept { return !begun_in_.load().is_in_maker() && is_started(); }
  bool has_listener() const noexcept { return !addresses_.empty(); }
  Result<void> listen(std::unique_ptr<Listener> listener, PeerPolicy policy);
  std::vector<std::string> addresses() const { return addresses_; }
  void remember(Status error) {
    if (first_error_.ok()) first_error_ = std::move(error);
  }
  const Status& first_error() const noexcept { return first_error_; }

  /// Starts on the loop that was given, or on loops of its own, one thread each.
  /// RESOURCE_EXHAUSTED if the system gives the loops no descriptors or no threads, and it may be
  /// tried again then.
  /// FAILED_PRECONDITION in a forked child of the process that listens.
  Result<void> start();
  /// Starts, and runs the first loop on the calling thread until all is drained, which SIGINT and
  /// SIGTERM bring about.
  Result<void> run();
  // In a forked child of the process that started it these do nothing.

  void stop() noexcept;
  /// As stop(), and the calls have no more time. REQUIRES: started. Any thread.
  void cancel_calls() noexcept;
  void join();
  std::stop_token stopped() const noexcept { return stopped_.get_token(); }
  /// Where it can be found while it is there.
  const std::shared_ptr<ServerAnchor>& anchor() const noexcept { return anchor_; }
  /// Has its loops add what they have to a report. Any thread.
  void report(const std::shared_ptr<const ServerContribution>& to);
  bool has_own_threads() const noexcept { return given_loop_ == nullptr; }

 private:
  enum class ThreadsMay : std::uint8_t { wait, run, end };
  struct Listening {
    std::unique_ptr<Listener> listener;
    PeerPolicy policy;
  };
  class Slot {
   public:
    Slot(ServerCore& core, EventLoop* given);
    EventLoop& event_loop() const noexcept { return *loop_; }
    ServerLoop& server_loop() const noexcept { return *server_loop_; }
    /// A thread that runs the loop once it may. Throws std::system_error.
    void make_thread(const std::atomic<ThreadsMay>& may) {
      thread_ = std::thread([this, &may] {
        may.wait(ThreadsMay::wait);
        if (may.load() == ThreadsMay::run) loop_->run();
      });
    }
    void join() {
      if (thread_.joinable()) thread_.join();
    }

   private:
    std::unique_ptr<EventLoop> own_;
    EventLoop* loop_;
    std::unique_ptr<ServerLoop> server_loop_;
    std::thread thread_;
  };

  EventLoop& first_loop() const noexcept { return loops_.front()->event_loop(); }
  /// The loop with the fewest connections; of several the one that comes next.
  Slot& least_loaded() noexcept;
  void on_signal();
  /// `first_with_thread`: the loops before it are run by others.
  Result<void> begin(std::size_t first_with_thread);
  Result<void> open_loops();
  Result<void> make_threads(std::size_t first_with_thread);
  void release_threads(ThreadsMay what) noexcept;
  void begin_course();
  void open_ports();
  /// REQUIRES: mutex_ is held.
  void drain();
  void take(std::unique_ptr<Transport> connection, ConnectionQuota::Place place) override;
  void on_listener_end() noexcept override { stop(); }
  void on_loop_drained();
  void complete();

  ServerShared shared_;
  EventLoop* const given_loop_;
  Status first_error_;
  /// From the first listen() of a server with threads of its own until start() or the end of run().
  /// It goes after the listeners, as it may end the program.
  std::optional<SignalWatch> signals_;
  std::vector<Listening> listening_;
  /// The process that listens, from the first listen() on.
  std::optional<ForkMark> listens_in_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Slot>> loops_;
  std::vector<std::unique_ptr<ListenPort>> ports_;
  std::size_t next_loop_ = 0;
  /// The process in which it started, or was made.
  std::atomic<ForkMark> begun_in_{ForkMark()};
  std::atomic<ThreadsMay> threads_may_{ThreadsMay::wait};
  /// Loops that have not drained yet.
  std::atomic<std::size_t> undrained_{0};
  std::mutex mutex_;
  /// Guarded by mutex_: stop() may come at any time, and moves it.
  enum class Course : std::uint8_t { idle, begun, stopped_while_idle, draining };
  Course course_ = Course::idle;
  bool was_signalled_ = false;
  std::stop_source stopped_;
  const std::shared_ptr<ServerAnchor> anchor_ = std::make_shared<ServerAnchor>(*this);
  /// What is posted to a loop does nothing once the core is gone.
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace nearcall::inline v0::detail
