// SPDX-License-Identifier: Apache-2.0
// LoopBackend: what one event loop has of a backend: its connection, and those that are closing.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "async/runnable.hpp"
#include "client/backend.hpp"
#include "client/loop_connection.hpp"
#include "client/server_wait.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// What one loop has of a backend: the connection that takes calls, and those that are closing but
/// still carry some. The loop owns it, under the backend's slot: a call finds it without a lock.
///
/// Goes with the loop, or when the backend drains and no call is left. Until then it keeps the
/// backend, and so calls need not.
///
/// Thread safety: the loop's thread.
class LoopBackend final : public LoopOwned, public LoopConnectionOwner {
 public:
  /// That of `backend` on `loop`, which is the current one.
  static LoopBackend& of(Backend& backend, LoopCore& loop) {
    LoopOwned* const here = loop.slot(backend.slot());
    return here != nullptr ? static_cast<LoopBackend&>(*here) : make(backend, loop);
  }
  LoopBackend(const LoopBackend&) = delete;
  LoopBackend& operator=(const LoopBackend&) = delete;
  ~LoopBackend() override;

  /// Opens `call` now, or when there is a connection and room.
  void begin(WaitingCall& call);
  /// The same for a call that waits for the server: it makes no attempt of its own while there is a
  /// pause between them.
  void begin_when_ready(WaitingCall& call);
  /// Opens `call`, which was begun, when the server was reached.
  void wait(WaitingCall& call);
  /// Opens `call`, which was not processed, once more: not before the caller, who is handling what
  /// came, has returned.
  void repeat(WaitingCall& call);
  /// Opens `call`, another attempt of one that is open here: of several backends at the next one.
  void begin_beside(WaitingCall& call);
  /// After the failure of an attempt that `call` waited for here: of several backends one that is
  /// left takes it over, in a later turn. If none is left it is the front's now.
  bool try_elsewhere(WaitingCall& call, const Status& why);
  /// Keeps `call`, which waits before it is repeated, or is cancelled.
  void hold(WaitingCall& call) { held_.push_back(call); }
  /// A call that was begun here is over.
  void on_call_over();
  /// Whether it goes with its loop, and ends its calls: what is scheduled now never runs.
  bool is_going() const noexcept { return is_going_; }

 private:
  /// Its place among the backend's loops, and what they requested of it.
  class Place final : public LoopPlace, public Runnable {
   public:
    explicit Place(LoopBackend& backend) noexcept : backend_(&backend) {}
    void post(Request request) override {
      if (requests_.fetch_or(static_cast<unsigned>(request)) == 0) backend_->core_->post(*this);
    }
    void run() noexcept override { backend_->carry_out(requests_.exchange(0)); }

   private:
    LoopBackend* backend_;
    std::atomic<unsigned> requests_{0};
  };

  /// Tries to connect for all calls that wait for the server.
  class Probe final : public WaitingCall {
   public:
    explicit Probe(LoopBackend& backend) noexcept : WaitingCall(For::word), backend_(&backend) {}
    void open_on(ClientConnection& /*connection*/) override {
      leave();
      backend_->on_server_reached();
    }
    void on_failed(const Status& why) override {
      if (at_ != nullptr && at_->try_elsewhere(*this, why)) return;
      leave();
      backend_->on_probe_failed(why);
    }
    void on_unsent(const Status& why) override { on_failed(why); }
    LoopBackend* move_to(LoopBackend& there) noexcept override {
      return std::exchange(at_, &there);
    }
    bool heeds_pauses() const noexcept override { return true; }
    void leave() noexcept {
      WaitingCall::unlink();
      if (at_ != nullptr) std::exchange(at_, nullptr)->on_call_over();
    }

   private:
    LoopBackend* backend_;
    /// Of several: the one that is tried. Null: none.
    LoopBackend* at_ = nullptr;
  };

  /// Until it is known who is there.
  class LookWait;
  struct LookWaitDeleter {
    void operator()(LookWait* wait) const noexcept;
  };

  LoopBackend(Backend& backend, LoopCore& loop);
  static LoopBackend& make(Backend& backend, LoopCore& loop);

  // LoopConnectionOwner

  void ask_to_go_on() override;

  void submit(WaitingCall& call);
  // At the front of several.
  void begin_pass(WaitingCall& call);
  void route(WaitingCall& call);
  void wait_until_known(WaitingCall& call);
  void end_looking();
  /// Its calls may go elsewhere the next time.
  void submit_again(WaitingCall& call);
  static void move(WaitingCall& call, LoopBackend& there);
  static void on_attempt_due(void* self) noexcept;
  void on_server_reached();
  void on_probe_failed(const Status& why);
  void stop_waiting_if_nobody_does() noexcept;
  /// What has to wait until nothing of a connection is on the stack.
  void go_on();
  void carry_out(unsigned requests);
  void close_unused();

  const std::shared_ptr<Backend> backend_;
  LoopCore* core_;
  std::size_t calls_ = 0;
  bool is_draining_ = false;
  bool is_going_ = false;
  IntrusiveList<WaitingCall> repeated_;
  /// In a pass, after a failure elsewhere.
  IntrusiveList<WaitingCall> rerouted_;
  /// Before they are, until it is known who is there.
  IntrusiveList<WaitingCall> looking_;
  /// Null: nobody waits for that.
  std::unique_ptr<LookWait, LookWaitDeleter> look_wait_;
  /// For the server to be reached.
  IntrusiveList<WaitingCall> awaiting_;
  IntrusiveList<WaitingCall> held_;
  Probe probe_{*this};
  ServerWait server_wait_{*backend_, *core_, &LoopBackend::on_attempt_due, this};
  std::unique_ptr<LoopConnection> current_;
  std::vector<std::unique_ptr<LoopConnection>> closing_;
  RunMember<&LoopBackend::go_on> go_on_{*this};
  Place place_{*this};
};

}  // namespace nearcall::inline v0::detail
