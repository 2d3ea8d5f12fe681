// SPDX-License-Identifier: Apache-2.0
// AsyncCall: a call that coroutines wait for.
#pragma once

#include "async/resume_later.hpp"
#include "async/run_member.hpp"
#include "client/call.hpp"
#include "client/client_chain.hpp"
#include "client/loop_backend.hpp"

#include <nearcall/client.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

namespace nearcall::inline v0::detail {

/// A Call that coroutines on one loop wait for, on the loop's connection.
///
/// Thread safety: the loop's thread; cancel() from any.
class AsyncCall final : private WaitingCall, private CallWaiter, private ClientChain::Owner {
 public:
  /// `loop` is null where none runs: the call has failed then. `request`: of start().
  AsyncCall(Backend& backend,
            const BoundMethod& method,
            const google::protobuf::MessageLite* request,
            const CallOptions& options,
            EventLoop* loop);
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;
  ~AsyncCall();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  /// It begins now, or, where it is intercepted, when the channel's interceptors let it. Once.
  void start(Backend& backend,
             const google::protobuf::MessageLite* request,
             const CallOptions& options,
             bool is_intercepted);
  /// Its method lives as long as it does.
  void keep(NamedMethod method) { rare().method = std::move(method); }
  Call& call() noexcept { return call_; }
  const PeerIdentity& peer() const noexcept { return peer_.identity(); }
  void cancel() noexcept;

  /// Aborts with a sentence if it is used outside of its loop.
  void require_loop() const noexcept;
  /// The same if its loop runs on another thread.
  void require_same_thread() const noexcept;

  // From CallAwaiter.

  bool is_ready(CallAwaiter::Until until) const noexcept {
    return until == CallAwaiter::Until::end ? is_over() : call_.has_headers();
  }
  /// Whether whoever waits for its end is to free what came in a later turn.
  bool is_held_back(CallAwaiter::Until until) noexcept {
    return until == CallAwaiter::Until::end && has_costly_last() &&
           !waiting_[static_cast<std::size_t>(until)].resume.is_linked() &&
           Access::core(*loop_).budget().is_spent();
  }
  /// Whoever waited for its end goes on.
  void count_last() {
    if (has_costly_last()) [[unlikely]]
      call_.messages().in().count_last();
  }
  void wait(CallAwaiter& awaiter, CallAwaiter::Until until, std::coroutine_handle<> waiting);
  void leave(CallAwaiter& awaiter, CallAwaiter::Until until) noexcept;

  // The call with its interceptors, where there are any.

  bool is_over() const noexcept {
    return call_.is_over() && (chain_ == nullptr || chain_->is_done());
  }
  const Status& status() {
    if (chain_ != nullptr) [[unlikely]]
      return chain_->status();
    return call_.status();
  }
  Status reply_status() {
    return chain_ != nullptr ? chain_->take_reply_status() : call_.reply_status();
  }
  void expect_reply(google::protobuf::MessageLite& reply);
  /// Nobody reads what comes.
  void drop_messages();

 private:
  struct Waiting {
    CallAwaiter* awaiter = nullptr;
    ResumeLater resume;
  };
  struct Cancel {
    AsyncCall* call;
    void operator()() const noexcept { call->cancel(); }
  };
  /// What few calls have.
  struct Rare {
    /// Where the call's method was named at run time.
    NamedMethod method;
    /// By the call that it is made for.
    std::optional<std::stop_callback<Cancel>> cancellation_of_served;
  };
  Rare& rare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  static void on_timer(void* self) noexcept;
  void end_pause();
  void on_change() override;
  /// It is over, with its interceptors.
  void settle() noexcept;
  void begin(Backend& backend);
  void intercept(Backend& backend, const google::protobuf::MessageLite* request);
  void on_repeat(std::optional<TimePoint> at) override;
  void on_next_hedge(TimePoint at) override;
  void on_committed(ClientConnection& connection) override { peer_ = connection.shared_peer(); }

  // ClientChain::Owner

  bool begin_call(const google::protobuf::MessageLite* request) override;
  void on_deadline_change() override { timer_->set(call_.deadline()); }
  void on_chain_done() override;
  void resume_waiting() override;

  // WaitingCall

  void open_on(ClientConnection& connection) override {
    peer_ = connection.shared_peer();
    LoopCore& loop = Access::core(*loop_);
    call_.open(connection, &loop, loop.now());
  }
  void on_failed(const Status& why) override;
  void on_unsent(const Status& why) override { call_.on_unsent(why); }
  Call* picked_for() noexcept override { return &call_; }
  bool heeds_pauses() const noexcept override { return call_.waits_for_ready(); }
  LoopBackend* move_to(LoopBackend& there) noexcept override {
    return std::exchange(backend_, &there);
  }

  /// On its loop: once the call is over, it may be with any thread, and the loop may have gone.
  bool has_costly_last() noexcept {
    return call_.messages().in().has_costly_last() && EventLoop::current() == loop_;
  }
  void cancel_here();
  void stop_cancelling() noexcept;

  EventLoop* loop_;
  /// Null before it begins, and once it is over.
  LoopBackend* backend_ = nullptr;
  /// Null: it has none of them.
  std::unique_ptr<Rare> rare_;
  Call call_;
  SharedPeer peer_;
  /// Of the deadline, or of the end of a pause before a repeat.
  std::optional<Timer> timer_;
  bool is_pausing_ = false;
  Waiting waiting_[2];
  /// cancel() on another thread moves it from no to posting and on to posted; the end of the call
  /// from no to over, and waits while it is posting.
  enum class Cancelling : std::uint8_t { no, posting, posted, over };
  std::atomic<Cancelling> cancelling_{Cancelling::no};
  RunMember<&AsyncCall::cancel_here> cancel_here_{*this};
  std::optional<std::stop_callback<Cancel>> cancellation_;
  /// Null: nobody intercepts it.
  std::unique_ptr<ClientChain> chain_;
};

}  // namespace nearcall::inline v0::detail
