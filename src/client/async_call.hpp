// SPDX-License-Identifier: Apache-2.0
// AsyncCall: a call that coroutines wait for.
#pragma once

#include "client/client_call.hpp"
#include "client/kept_request.hpp"
#include "client/loop_connection.hpp"

#include <nearcall/client.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace nearcall::detail {

/// A call that coroutines on one loop wait for. One that the server provably did not begin is
/// submitted a second time, to the loop's connection of then
/// (docs/decisions/009-where-a-call-is-repeated.md): its request is kept, serialised, until the
/// server answers. A call that streams its requests is repeated only if none was taken from its
/// writer: taken ones are gone.
///
/// Thread safety: the loop's thread; cancel() from any.
class AsyncCall final : public ClientCall {
 public:
  /// `loop` is null where none runs: the call has failed then.
  AsyncCall(std::shared_ptr<const BoundMethods> methods,
            std::size_t method,
            const google::protobuf::MessageLite* request,
            const CallOptions& options,
            EventLoop* loop);
  AsyncCall(const AsyncCall&) = delete;
  AsyncCall& operator=(const AsyncCall&) = delete;
  ~AsyncCall();

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* memory, std::size_t size) noexcept { free_frame(memory, size); }

  void cancel() noexcept;
  void expect_reply(google::protobuf::MessageLite& reply) noexcept;
  /// How it ended, once: for calls with one reply, whether that came.
  Status take_status();

  // From LoopConnection.

  void open_on(ClientConnection& connection);
  /// To the connection of its loop.
  void submit();

  // From CallAwaiter.

  bool is_ready(CallAwaiter::Until until) const noexcept {
    return until == CallAwaiter::Until::end ? is_over() : has_headers();
  }
  void wait(CallAwaiter& awaiter, CallAwaiter::Until until, std::coroutine_handle<> waiting);
  void leave(CallAwaiter& awaiter, CallAwaiter::Until until) noexcept;

 private:
  struct Cancel {
    AsyncCall* call;
    void operator()() const noexcept { call->cancel(); }
  };
  class CancelHere final : public Runnable {
   public:
    explicit CancelHere(AsyncCall& call) noexcept : call_(&call) {}
    void run() noexcept override { call_->cancel_here(); }

   private:
    AsyncCall* call_;
  };
  class Resume final : public Runnable {
   public:
    void run() noexcept override { coroutine.resume(); }
    Suspended coroutine;
    CallAwaiter* awaiter = nullptr;
  };

  static void on_deadline(void* self) noexcept;
  void on_change() override;
  Again begin_again() override;
  void before_message() override { has_written_ = true; }
  void on_ready() override {}
  void cancel_here();
  void end_cancelling() noexcept;

  std::shared_ptr<const BoundMethods> methods_;
  EventLoop* loop_;
  std::shared_ptr<LoopConnection> connection_;
  KeptRequest request_;
  bool expects_reply_ = false;
  bool has_written_ = false;
  bool was_repeated_ = false;
  std::optional<Timer> timer_;
  Resume waiting_[2];
  /// cancel() on another thread moves it from no to posting and on to posted; the end of the call
  /// from no to over, and waits while it is posting.
  enum class Cancelling : std::uint8_t { no, posting, posted, over };
  std::atomic<Cancelling> cancelling_{Cancelling::no};
  CancelHere cancel_here_{*this};
  std::optional<std::stop_callback<Cancel>> cancellation_;
};

}  // namespace nearcall::detail
