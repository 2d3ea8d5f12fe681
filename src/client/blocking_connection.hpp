// SPDX-License-Identifier: Apache-2.0
// BlockingConnection: a connection driven by the threads whose calls it carries.
#pragma once

#include "async/spinner.hpp"
#include "base/fork_mark.hpp"
#include "base/unique_fd.hpp"
#include "client/client_connection.hpp"

#include <nearcall/spin_policy.hpp>

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

namespace nearcall::inline v0::detail {

struct PooledConnection;

/// A thread that waits for its call on a BlockingConnection.
class BlockedThread : public ListHook {
 public:
  std::condition_variable& wake_up() noexcept { return wake_up_; }

 private:
  std::condition_variable wake_up_;
};

/// A connection driven by the threads whose calls it carries: one of those that wait polls the
/// transport and feeds the session, the others sleep until their call has news; the role passes on
/// when its holder returns. The mutex is held for steps of the session, never while waiting.
///
/// Thread safety: any thread; functions that take a Lock want it held.
class BlockingConnection final : public ClientDriver {
 public:
  using Lock = std::unique_lock<std::mutex>;

  BlockingConnection(std::unique_ptr<Transport> transport,
                     std::string target,
                     const ConnectionLimits& limits,
                     SpinPolicy spin);
  BlockingConnection(const BlockingConnection&) = delete;
  BlockingConnection& operator=(const BlockingConnection&) = delete;
  ~BlockingConnection();

  /// Where it is in its channel's pool; set once, before others know it.
  PooledConnection* place() const noexcept { return place_; }
  void set_place(PooledConnection& place) noexcept { place_ = &place; }

  /// Takes the mutex; a thread that spins with it makes room.
  Lock lock();
  ClientConnection& client() noexcept { return client_; }
  /// False in a forked child: the connection is its parent's. There it may be destroyed, no more.
  bool is_in_maker() const noexcept { return made_in_.is_in_maker(); }

  /// Waits until `is_done()`, driving the connection if nobody else does; false at `deadline`.
  template <class Done>
  bool wait(Lock& lock, BlockedThread& thread, TimePoint deadline, const Done& is_done) {
    bool in_time = true;
    while (!is_done() && in_time)
      in_time = wait_once(lock, thread, deadline);
    pass_role_on();
    return in_time || is_done();
  }
  /// Waits until the server takes another call, or never will, or `is_done()`; false at `deadline`.
  template <class Done>
  bool wait_for_room(Lock& lock, BlockedThread& thread, TimePoint deadline, const Done& is_done) {
    ++waiting_for_room_;
    const bool in_time = wait(lock, thread, deadline, [&] {
      return is_done() || client_.open_state() != http2::Session::OpenState::full;
    });
    --waiting_for_room_;
    return in_time;
  }
  /// `thread` may look again.
  void notify(BlockedThread& thread) noexcept;
  /// Sends what there is, and takes in what has arrived.
  void exchange(Lock& lock);
  /// Sends what there is. Costs nothing if there is nothing.
  void flush();
  /// Sends what a call has put out since, unless it waits for the transport anyway.
  void flush_credit() {
    if (!client_.pump().is_write_blocked()) flush();
  }
  /// Whether it can take a call, after a look at what arrived while nobody drove it. For a call
  /// `that_can_be_repeated` the look is spared where the write tells that the server has gone.
  bool is_fit(Lock& lock, bool that_can_be_repeated = false);

  void on_output() override {}  // whoever makes output flushes it
  void on_room() override;
  void on_closing() override;

 private:
  bool wait_once(Lock& lock, BlockedThread& thread, TimePoint deadline);
  void drive(Lock& lock, TimePoint deadline);
  /// Polls without sleeping; whether something came, or somebody interrupts.
  bool spin(Lock& lock, TimePoint deadline);
  /// Reads once; whether something came.
  bool poll(TimePoint now);
  void make_room() const noexcept;
  void park(Lock& lock, TimePoint deadline);
  /// Whoever leaves while nobody drives wakes one of those who wait: it may have been woken to
  /// drive itself, and found its call done.
  void pass_role_on() noexcept;
  void interrupt() noexcept;
  /// Everybody looks again, whoever drives included.
  void wake_all() noexcept;

  const ForkMark made_in_;
  PooledConnection* place_ = nullptr;
  std::mutex mutex_;
  /// Threads that want the mutex; the spinning one waits until they had it.
  std::atomic<int> contenders_{0};
  ClientConnection client_;
  Spinner spinner_;
  std::size_t waiting_for_room_ = 0;
  bool is_driven_ = false;
  bool is_parked_ = false;
  bool is_interrupted_ = false;
  IntrusiveList<BlockedThread> sleeping_;
  UniqueFd wake_;
};

}  // namespace nearcall::inline v0::detail
