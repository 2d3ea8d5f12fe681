// SPDX-License-Identifier: Apache-2.0
// BlockingConnection: a connection driven by the threads whose calls it carries.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/spinner.hpp"
#include "base/clock.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"
#include "client/client_connection.hpp"

#include <nearcall/spin_policy.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

struct PooledConnection;
class BlockingConnection;

/// The pool of a BlockingConnection. Is told from the thread that drives, with the mutex of the
/// connection.
class ConnectionKeeper {
 public:
  /// The server has said its first word.
  virtual void on_heard(BlockingConnection& connection) = 0;
  /// It takes no more calls.
  virtual void on_closing(BlockingConnection& connection) = 0;

 protected:
  ~ConnectionKeeper() = default;
};

/// A thread that waits for its call on a BlockingConnection, which alone looks into it.
class BlockedThread : public ListHook {
 private:
  friend class BlockingConnection;

  std::condition_variable wake_up_;
  /// It may look again.
  bool has_news_ = false;
};

/// A connection driven by the threads whose calls it carries: one of those that wait polls the
/// transport and feeds the session, the others sleep until their call has news; the role passes on
/// when its holder returns. The mutex is held for steps of the session, never while waiting.
///
/// Thread safety: any thread; functions that take a Turn want that of this connection.
class BlockingConnection final : public ClientDriver {
 public:
  /// Some steps of a connection's session by one thread, with the mutex held. When it ends, what
  /// they put out is sent, and one of those who wait drives, if nobody does.
  class [[nodiscard]] Turn {
   public:
    Turn() noexcept = default;
    Turn(Turn&&) noexcept = default;
    Turn& operator=(Turn&& other) noexcept {
      finish();
      connection_ = other.connection_;
      lock_ = std::move(other.lock_);
      return *this;
    }
    ~Turn() { finish(); }

    explicit operator bool() const noexcept { return lock_.owns_lock(); }
    void finish() noexcept;

   private:
    friend BlockingConnection;
    explicit Turn(BlockingConnection& connection);

    BlockingConnection* connection_ = nullptr;
    std::unique_lock<std::mutex> lock_;
  };

  BlockingConnection(std::unique_ptr<Transport> transport,
                     std::string target,
                     const ConnectionLimits& limits,
                     SpinPolicy spin,
                     ConnectionCounters& counters,
                     Clock clock);
  BlockingConnection(const BlockingConnection&) = delete;
  BlockingConnection& operator=(const BlockingConnection&) = delete;
  ~BlockingConnection();

  /// Where it is in its channel's pool; set once, before others know it.
  PooledConnection* place() const noexcept { return place_; }
  void set_place(PooledConnection& place, ConnectionKeeper& keeper) noexcept {
    place_ = &place;
    keeper_ = &keeper;
    is_heard_ = client_.has_settings();
  }

  /// Takes the mutex; a thread that spins with it makes room.
  Turn begin_turn() { return Turn(*this); }
  ClientConnection& client() noexcept { return client_; }
  /// When somebody last looked at the clock for it.
  TimePoint last_look() const noexcept { return last_look_; }
  /// False in a forked child: the connection is its parent's. There it may be destroyed, no more.
  bool is_in_maker() const noexcept { return made_in_.is_in_maker(); }

  /// Waits until `is_done()`, driving the connection if nobody else does; false at `deadline`.
  template <class Done>
  bool wait(Turn& turn, BlockedThread& thread, TimePoint deadline, const Done& is_done) {
    bool in_time = true;
    while (!is_done() && in_time)
      in_time = wait_once(turn, thread, deadline);
    return in_time || is_done();
  }
  /// Waits until the server takes another call (and has said its first word, if the call
  /// `hears_word`), or never will, or `is_done()`; false at `deadline`.
  template <class Done>
  bool wait_for_room(
      Turn& turn, BlockedThread& thread, TimePoint deadline, bool hears_word, const Done& is_done) {
    using State = http2::Session::OpenState;
    ++waiting_for_room_;
    const bool in_time = wait(turn, thread, deadline, [&] {
      const State state = client_.open_state();
      const bool is_open = state == State::ready && (!hears_word || client_.has_settings());
      return is_open || state == State::closed || is_done();
    });
    --waiting_for_room_;
    return in_time;
  }
  /// Waits for the first thing that the server says. UNAVAILABLE if it closes, or is silent until
  /// `deadline`; or `stop` was requested.
  Status wait_for_word(TimePoint deadline, const std::stop_token& stop);
  /// `thread` may look again.
  void notify(BlockedThread& thread) noexcept;
  /// Takes in what has arrived, if nobody else does.
  void take_in(Turn& turn);
  /// Whether it can take a call, after a look at what arrived while nobody drove it. For a call
  /// `that_can_be_repeated` the look is spared where the write tells that the server has gone.
  bool is_fit(Turn& turn, bool that_can_be_repeated = false);

  void on_output() override {}  // the turn's end sends it
  void on_room() override;
  void on_closing() override;

 private:
  TimePoint look_at_clock() noexcept;
  void end_turn() noexcept;
  void flush();
  bool wait_once(Turn& turn, BlockedThread& thread, TimePoint deadline);
  void sleep(Turn& turn, BlockedThread& thread, TimePoint deadline);
  void drive(Turn& turn, TimePoint deadline);
  /// Without the mutex: what it does may call into this connection.
  void deliver_cancellations(Turn& turn) noexcept;
  /// Polls without sleeping; whether something came, or there is news from another thread.
  bool spin(Turn& turn, TimePoint deadline);
  /// Reads once; whether something came.
  bool poll(TimePoint now);
  void make_room() const noexcept;
  void park(Turn& turn, TimePoint deadline);
  /// Everybody looks again, whoever drives included.
  void wake_all() noexcept;

  const ForkMark made_in_;
  PooledConnection* place_ = nullptr;
  /// Null before it has a place, and when it goes.
  ConnectionKeeper* keeper_ = nullptr;
  /// Whether the keeper knows that the server was heard.
  bool is_heard_ = true;
  std::mutex mutex_;
  /// Threads that want the mutex; the spinning one waits until they had it.
  std::atomic<int> contenders_{0};
  const Clock clock_;
  TimePoint last_look_;
  ClientConnection client_;
  Spinner spinner_;
  std::size_t waiting_for_room_ = 0;
  /// Null where nobody drives.
  BlockedThread* driver_ = nullptr;
  /// It waits for the transport or for wake_, without the mutex.
  bool driver_sleeps_ = false;
  /// CancelEvent::descriptor() as the driver polls it.
  int driver_cancel_event_ = -1;
  IntrusiveList<BlockedThread> sleeping_;
  UniqueFd wake_;
};

}  // namespace nearcall::inline v0::detail
