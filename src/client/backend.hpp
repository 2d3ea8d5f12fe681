// SPDX-License-Identifier: Apache-2.0
// Backend: one server as a channel sees it: where it is, and the connections to it.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_slot.hpp"
#include "base/clock.hpp"
#include "base/fork_mark.hpp"
#include "client/backend_group.hpp"
#include "client/blocking_connection.hpp"
#include "client/bound_method.hpp"
#include "client/connectivity.hpp"
#include "client/keep_alive_pace.hpp"
#include "client/membership.hpp"
#include "client/server_wait.hpp"

#include <nearcall/channel.hpp>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail {

/// What one loop has of a backend: its place among the backend's loops.
class LoopPlace : public ListHook {
 public:
  enum class Request : unsigned { close_idle = 1, drain = 2 };
  /// What carries no call is to be closed, on the loop's thread; `drain`: and it goes, since nobody
  /// makes new calls. From any thread, under the lock of the backend's loops.
  virtual void post(Request request) = 0;

 protected:
  ~LoopPlace() = default;
};

/// A connection's place in the pool; it stays when the connection goes, for another one.
struct alignas(64) PooledConnection {
  static constexpr int vacant = -1;

  /// From 0 to `vacant`, and back to 1 with another connection: by who has the mutex of the pool.
  /// Else how many calls use it: up and down by anybody, but only from 0 to 1 without the mutex.
  std::atomic<int> users{vacant};
  /// Of whoever was its only user.
  std::atomic<TimePoint> idle_since{TimePoint{}};
  /// Changes when it becomes vacant, and when it no longer is.
  std::shared_ptr<BlockingConnection> connection;
  /// Takes no more calls, and goes with its last user. For who has the mutex.
  bool is_draining = false;
  /// What Connectivity was told of it. For who has the mutex.
  enum class Known : std::uint8_t { nothing, as_made, as_ready } known = Known::nothing;

  bool is_vacant() const noexcept { return users.load(std::memory_order_relaxed) == vacant; }
  /// Whether it was idle, and is the caller's now.
  bool try_take() noexcept { return try_move(0, 1); }
  bool try_vacate() noexcept { return try_move(0, vacant); }

 private:
  bool try_move(int from, int to) noexcept {
    return users.compare_exchange_strong(from, to, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }
};

/// One server as a channel sees it: where it is, and the connections to it: a pool for blocking
/// calls, and one for each loop, which the loop owns (LoopBackend).
///
/// A connection of the pool has one user at a time, until max_connections() are in use; from then
/// on they are shared, and so they are when another one cannot be made, or the server does not take
/// it. When one is taken or put back, once a second at most, those are closed that were idle for
/// 30 s, as long as more than four are idle (docs/decisions/011-idle-connections.md).
///
/// A thread finds the connection that it used last without a lock, and puts it back so.
///
/// A forked child leaves them to its parent and makes connections of its own.
///
/// Thread safety: any thread.
class Backend final : public AwaitedServer,
                      private ConnectionKeeper,
                      public std::enable_shared_from_this<Backend> {
 public:
  Backend(std::string target, ChannelOptions options, Clock clock = Clock());
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  ~Backend();

  const std::string& target() const noexcept { return target_; }
  const ChannelOptions& options() const noexcept { return options_; }
  /// What time it is, for all that is decided here but on a loop, which has its own.
  Clock clock() const noexcept { return clock_; }
  /// What is wrong with the target, or OK.
  const Status& misuse() const noexcept { return misuse_; }
  /// What the server may cost on each connection.
  ConnectionLimits limits() const noexcept {
    ConnectionLimits limits = options_.limits();
    limits.handshake_timeout = options_.connect_timeout();
    return limits;
  }
  const std::shared_ptr<Connector>& connector() const noexcept { return connector_; }
  /// The earlier one of the deadline and the connect timeout.
  TimePoint connect_deadline(TimePoint now, TimePoint deadline) const;
  ConnectionCounters& counters() noexcept { return counters_; }
  KeepAlivePace& keep_alive_pace() noexcept { return keep_alive_pace_; }
  const ConnectionCounters& counters() const noexcept { return counters_; }
  /// The methods of its channel: calls on the backend refer to them, and may outlive the channel.
  void keep(std::shared_ptr<const MethodTable> methods) {
    counters_.set_observed(methods->observed());
    methods_ = std::move(methods);
  }
  /// Null unless it is the front of several.
  BackendGroup* group() const noexcept { return group_.get(); }
  /// It is the front of several from now on: it has no connections, and who calls here goes on to
  /// one of them. `misuse` is what is wrong with one of them, instead of what is with its target.
  void lead(std::shared_ptr<BackendGroup> group, Status misuse);
  /// It is one of several from now on.
  void join(std::shared_ptr<Membership> membership) { membership_ = std::move(membership); }
  /// Null unless it is one of several.
  Membership* membership() const noexcept { return membership_.get(); }

  /// `any`: the call can be repeated if it finds the connection to be dead. `fresh`: one that is
  /// made for the call, where there may be one more.
  enum class Want : std::uint8_t { any, fit, fresh };
  /// A connection for one blocking call, to be put back, and its turn; null: the caller has to
  /// connect() one. REQUIRES: `turn` is none.
  std::shared_ptr<BlockingConnection> take(BlockingConnection::Turn& turn, Want want = Want::fit);
  /// After take() gave none: makes one, on this thread, or waits for those that other calls make
  /// if there may not be more. `hears_word`: it counts as made when the server has said something.
  Result<std::shared_ptr<BlockingConnection>> connect(TimePoint deadline,
                                                      const std::stop_token& stop,
                                                      bool hears_word = false);
  /// Who waits for the server: how long an attempt may take, and when to stop trying.
  struct Patience {
    TimePoint attempt;
    TimePoint until;
    /// The first attempt does not heed the pauses.
    bool begins_at_once = false;
  };
  /// The same, and where the server cannot be reached, but may be later, again and again: by one
  /// thread, for all that wait. Null: take() may find one. The last failure if none of it helps.
  Result<std::shared_ptr<BlockingConnection>> connect_when_ready(const Patience& patience,
                                                                 const std::stop_token& stop);
  /// `state` is that of the connection.
  void put_back(std::shared_ptr<BlockingConnection> connection,
                http2::Session::OpenState state,
                TimePoint now);

  /// Whether there is a connection for a blocking call, on which the server has said something;
  /// makes one, on this thread, if not, and waits for the server until then.
  Status ensure_connection(TimePoint until);
  /// Waits for the first word on a connection that nobody uses, and puts it back.
  Status settle(std::shared_ptr<BlockingConnection> connection);
  TimePoint next_attempt() override;
  std::vector<std::string> paths() override;
  void note_change_at_path() override;
  void watch(StateWatcher& watcher) override;
  void unwatch(StateWatcher& watcher) override;
  /// The state now, after a look at the pool's connections that nobody drives.
  ConnectivityState state();
  /// Waits until the state is another one than `from`; false at `until`.
  bool wait_for_state_change(ConnectivityState from, TimePoint until);
  /// How often connections of the pool that nobody drives are looked at while somebody waits for
  /// another state; no_deadline where there are none.
  Duration look_interval();
  /// What an attempt of a loop came to.
  void note(Connectivity::Event event);
  /// Closes what carries no call, on loops in their next turn.
  void close_idle();

  // Of the loops that have something of it. They keep it.

  std::size_t slot() const noexcept { return slot_.number(); }
  void add(LoopPlace& loop);
  void remove(LoopPlace& loop);
  /// Nobody makes new calls: its loops are told.
  void drain();
  /// Whether that was said: a call that waited for its interceptors may still begin.
  bool is_drained() const noexcept { return is_drained_.load(); }

 private:
  struct alignas(64) LastUsed {
    std::atomic<PooledConnection*> place{nullptr};
  };
  /// Threads beyond that number share; their second look takes the mutex.
  static constexpr std::size_t last_used_count = 32;

  /// The connections of one process.
  struct Pool {
    explicit Pool(const Connectivity::Backoff& backoff) : connectivity(backoff) {}

    const ForkMark made_in;
    /// May be taken while a connection's is held, never the other way round.
    std::mutex mutex;
    std::vector<std::unique_ptr<PooledConnection>> places;
    /// Those that are being made: they count.
    std::size_t connecting = 0;
    /// Attempts that failed, and why the last one did; not those whose call cancelled them.
    std::size_t failures = 0;
    Status failure;
    /// An attempt has ended, well or not.
    std::condition_variable_any has_connected;
    Connectivity connectivity;
    IntrusiveList<StateWatcher> state_watchers;
    std::condition_variable state_has_changed;
    /// Whether a thread tries for all that wait for the server.
    bool has_prober = false;
    /// It does not any more, or has connected.
    std::condition_variable_any prober_is_done;
    IntrusiveList<LoopPlace> loops;
    std::atomic<TimePoint> next_sweep{TimePoint{}};
    std::array<LastUsed, last_used_count> last_used;

    std::atomic<PooledConnection*>& last_used_here();
    /// For who has the mutex: those that take calls, and the one of them with the fewest.
    struct Live {
      std::size_t count = 0;
      PooledConnection* least_used = nullptr;
    };
    Live live() const noexcept;
  };

  Pool& pool() {
    Pool* const here = pool_.load(std::memory_order_acquire);
    return here->made_in.is_in_maker() ? *here : pool_after_fork(here);
  }
  Pool& pool_after_fork(Pool* of_parent);
  static void leave_to_parent(Pool* pool);
  bool may_have_more(Pool& pool) const;
  static std::shared_ptr<BlockingConnection> take_idle(Pool& pool);
  std::shared_ptr<BlockingConnection> share(Pool& pool);
  Result<std::shared_ptr<BlockingConnection>> share_or_reserve(Pool& pool,
                                                               TimePoint deadline,
                                                               std::stop_token stop);
  Result<std::shared_ptr<BlockingConnection>> make(Pool& pool,
                                                   TimePoint deadline,
                                                   const std::stop_token& stop,
                                                   bool hears_word);
  // ConnectionKeeper

  void on_heard(BlockingConnection& connection) override;
  void on_closing(BlockingConnection& connection) override;

  void note(Pool& pool, Connectivity::Event event);
  void on_heard(Pool& pool, PooledConnection& place);
  /// Its connection takes no more calls; `unheard` is what that is where the server said nothing.
  void note_end(Pool& pool, PooledConnection& place, Connectivity::Event unheard);
  /// Hears what came on connections that nobody drives.
  void look(Pool& pool);
  /// Waits while another thread tries for all; false at `until`, or on `stop`.
  bool follow_prober(Pool& pool, TimePoint until, const std::stop_token& stop);
  static bool has_connection(Pool& pool);
  Status last_failure(Pool& pool) const;
  /// Becomes the one that tries for all, unless there is one.
  static bool become_prober(Pool& pool);
  Result<std::shared_ptr<BlockingConnection>> probe(const Patience& patience,
                                                    const std::stop_token& stop);
  static PooledConnection& vacancy(Pool& pool);
  /// Its user gives it back, and it takes no calls any more.
  void release_closed(Pool& pool, PooledConnection& place);
  void sweep(Pool& pool, TimePoint now);
  /// Closes those that were idle since `since`, as long as more than `kept` are idle.
  void close_idle(Pool& pool, std::size_t kept, TimePoint since);
  void tell_loops(LoopPlace::Request request);

  const std::string target_;
  const ChannelOptions options_;
  const Clock clock_;
  /// Where the server's socket file is, if it is known by one.
  const std::string path_;
  const Connectivity::Backoff backoff_;
  KeepAlivePace keep_alive_pace_{options_};
  Status misuse_;
  std::shared_ptr<Connector> connector_;
  const LoopSlot slot_;
  /// Of a forked child too: it goes on from what its parent had.
  ConnectionCounters counters_;
  std::shared_ptr<const MethodTable> methods_;
  std::shared_ptr<BackendGroup> group_;
  std::shared_ptr<Membership> membership_;

  /// Owned; replaced, once, by the first who asks in a forked child.
  std::atomic<Pool*> pool_{new Pool(backoff_)};
  /// False at first; true for good from drain() on.
  std::atomic<bool> is_drained_{false};
};

}  // namespace nearcall::inline v0::detail
