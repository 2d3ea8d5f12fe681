// SPDX-License-Identifier: Apache-2.0
// LoopConnection: a connection of a backend on one event loop.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "client/backend.hpp"
#include "client/client_connection.hpp"
#include "connection/loop_driver.hpp"

#include <nearcall/resume_on.hpp>
#include <nearcall/transport.hpp>

#include <memory>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {

class Call;
class LoopBackend;

/// A call that waits to be opened on a loop, or whoever waits only for the server's first word.
class WaitingCall : public ListHook {
 public:
  /// A call waits for room, and one whose requests nobody keeps for the server's first word before
  /// that, which may be that it goes.
  enum class For : std::uint8_t { room, word_and_room, word };

  explicit WaitingCall(For what = For::room) noexcept : for_(what) {}
  For waits_for() const noexcept { return for_; }
  /// There is room for it, or the word came.
  virtual void open_on(ClientConnection& connection) = 0;
  /// It cannot be opened, here or elsewhere.
  virtual void on_failed(const Status& why) = 0;
  /// It cannot be opened here: the connection takes no calls any more.
  virtual void on_unsent(const Status& why) = 0;

  // Of several backends.

  /// Null: it is no call.
  virtual Call* picked_for() noexcept { return nullptr; }
  /// It is `there` from now on. Where it was, or null.
  virtual LoopBackend* move_to(LoopBackend& /*there*/) noexcept { return nullptr; }
  /// Whether it is there for those that wait: what pauses after a failure is not tried for it.
  virtual bool heeds_pauses() const noexcept { return false; }
  std::uint64_t pass() const noexcept { return pass_; }
  void begin_pass(std::uint64_t pass) noexcept { pass_ = pass; }

 protected:
  ~WaitingCall() = default;

 private:
  const For for_;
  /// Of a Balancer. Nothing before that, and no other call has one.
  std::uint64_t pass_;
};

class LoopConnectionOwner {
 public:
  /// To call go_on(), and see whether it is_unused(), when nothing of it is on the stack.
  virtual void ask_to_go_on() = 0;

 protected:
  ~LoopConnectionOwner() = default;
};

/// A connection of a backend on one loop: connects when its first call comes, keeps calls back
/// until there is room for them, and is replaced once it is closing. It is ready when the server
/// has said its first word, SETTINGS; calls with one request do not wait for that.
///
///     idle ──submit()──► connecting ──► connected ──► ready ──► closing
///       ▲                  │ │ (failed, late) │ (refused)         ▲
///       └──(nobody waits)──┘ └────────────────┴───────────────────┘
///
/// Thread safety: the loop's thread.
class LoopConnection final : public ClientDriver {
 public:
  LoopConnection(Backend& backend, LoopCore& loop, LoopConnectionOwner& owner);
  LoopConnection(const LoopConnection&) = delete;
  LoopConnection& operator=(const LoopConnection&) = delete;
  ~LoopConnection();

  /// Opens `call` now, or when it is connected and there is room.
  void submit(WaitingCall& call);
  /// Opens those that have room. An attempt to connect that nobody waits for is cancelled.
  void go_on();
  /// Ends it, and the calls on it and those that wait for it with `why`.
  void close(const Status& why);
  bool is_connected() const noexcept {
    return phase_ == Phase::connected || phase_ == Phase::ready;
  }
  /// Calls are opened on it, or wait for it.
  bool is_connecting() const noexcept { return phase_ == Phase::connecting; }
  /// Takes no calls any more.
  bool is_closing() const noexcept { return phase_ == Phase::closing; }
  /// No call is on it, or waits for it.
  bool is_unused() const noexcept {
    return !is_awaited() && (!client_ || client_->call_count() == 0);
  }

  void on_output() override;
  void on_room() override;
  void on_closing() override;
  TurnQueue* turn_queue() noexcept override { return driver_ ? &driver_->turn_queue() : nullptr; }

 private:
  enum class Phase : std::uint8_t { idle, connecting, connected, ready, closing };

  static void on_connect_done(void* self) noexcept;
  static void on_connect_late(void* self) noexcept;
  void connect();
  void finish_connect();
  void cancel_attempt();
  void drop_attempt(Connectivity::Event how);
  bool is_awaited() const noexcept { return !waiting_.empty() || !listening_.empty(); }
  WaitingCall* next_waiting() noexcept;
  void fail_waiting(const Status& why);
  /// Takes no calls any more.
  void begin_closing();
  /// None of those that wait here was opened.
  void hand_back_waiting();
  /// What has become possible: the server's first word may have come, or room.
  void open_waiting();
  void open_calls();

  Backend* backend_;
  LoopCore* loop_;
  LoopConnectionOwner* owner_;
  Phase phase_ = Phase::idle;
  std::optional<ClientConnection> client_;
  std::optional<LoopDriver> driver_;
  IntrusiveList<WaitingCall> waiting_;
  /// For the first word, calls among them that wait for room then.
  IntrusiveList<WaitingCall> listening_;
  std::stop_source attempt_;
  TaskHome home_;
  Task<Result<std::unique_ptr<Transport>>> connecting_;
  Timer connect_timer_;
};

}  // namespace nearcall::inline v0::detail
