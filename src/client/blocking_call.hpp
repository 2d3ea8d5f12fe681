// SPDX-License-Identifier: Apache-2.0
// BlockingCall: a call that threads wait for.
#pragma once

#include "client/backend.hpp"
#include "client/blocking_connection.hpp"
#include "client/call.hpp"

#include <nearcall/client.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {

/// A Call that threads wait for: one that reads or waits for the end, and one that writes.
///
/// Its connection is of the channel's pool. The thread that waits for its end also begins it once
/// more if it has to. Where its requests are streamed that is none but start(): later another
/// thread may write, which must not find itself on another connection.
///
/// The repeat goes to a fresh connection. Where the channel may have no more it goes to another
/// one, and to the same one if that is all there is, or no other can be made
/// (docs/decisions/009-where-a-call-is-repeated.md).
///
/// Thread safety: reading and writing functions from one thread each; cancel() from any.
class BlockingCall final : private CallWaiter {
 public:
  BlockingCall(Backend& backend, const BoundMethod& method, const CallOptions& options);
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;
  ~BlockingCall();

  /// Connects and opens the stream, and sends `request` where there is one. What goes wrong becomes
  /// the call's status. The call may outlive its stub and its channel.
  void start(const google::protobuf::MessageLite* request, const CallOptions& options);
  /// A whole unary call.
  Status run_unary(const google::protobuf::MessageLite& request,
                   const CallOptions& options,
                   google::protobuf::MessageLite& reply,
                   CallInfo* info);

  bool read(google::protobuf::MessageLite& into);
  bool write(const google::protobuf::MessageLite& message, bool may_compress);
  bool half_close();
  Status finish();
  const Metadata& headers();
  const Metadata& trailers();
  /// Nobody known before it is on a connection.
  PeerIdentity peer();
  void cancel() noexcept;

 private:
  using Turn = BlockingConnection::Turn;
  struct Cancel {
    BlockingCall* call;
    void operator()() const noexcept { call->cancel(); }
  };

  /// A thread that reads or writes.
  class Waiter final : public BlockedThread, public MessageWaiter {
   public:
    explicit Waiter(BlockingCall& call) noexcept : call_(&call) {}
    void wake() noexcept override {
      if (call_->connection_ != nullptr) call_->connection_->notify(*this);
    }

   private:
    BlockingCall* call_;
  };

  void on_change() override;
  void on_repeat() override;
  /// False if it is over before it began.
  bool prepare(const CallOptions& options);
  /// Opens it, and once more, or more often, if that is wanted at once.
  /// `turn` is that of the connection, if there is one afterwards.
  void begin(Turn& turn);
  /// Whether there has to be another attempt.
  bool begin_once_more(Turn& turn);
  /// One attempt on one connection; whether there has to be another one. Moves `last_resort`, which
  /// may be null, if it is on that one.
  bool open(Turn& turn, std::shared_ptr<BlockingConnection>& last_resort);
  Result<std::shared_ptr<BlockingConnection>> find_connection(
      Turn& turn, std::shared_ptr<BlockingConnection>& last_resort);
  /// Null: another call's attempt has made one.
  Result<std::shared_ptr<BlockingConnection>> connect();
  void pause_before_repeat();
  /// What stops when the call is cancelled.
  std::stop_source begin_stoppable();
  void send();
  void wait_for_end(Turn& turn);
  void fill(CallInfo& info);
  /// Whether there is a connection to wait on. Without one the call is over; and so it is in a
  /// forked child, whose parent goes on with it.
  bool has_connection();
  template <class Done>
  void wait(Turn& turn, BlockedThread& thread, const Done& is_done);
  /// Leaves the connection, the call being over.
  void leave(Turn turn);
  /// The connection, which the call no longer has, nor its turn.
  std::shared_ptr<BlockingConnection> release_connection(Turn& turn);
  /// Whether another thread may call cancel(). Nobody else knows a unary call without a token.
  bool is_shared() const noexcept {
    return kept_backend_ != nullptr || cancellation_.has_value() ||
           cancellation_of_caller_ != nullptr;
  }
  /// Empty if nobody else can have it.
  std::unique_lock<std::mutex> lock_place();
  bool was_cancelled();

  /// Null in a unary call, which its stub waits for.
  std::shared_ptr<Backend> kept_backend_;
  Backend* backend_;
  /// It has to be opened once more, by the thread that waits for it.
  bool wants_repeat_ = false;

  /// For cancel(): held while the three below change, if is_shared(). Comes before the lock of the
  /// connection.
  std::mutex place_;
  std::shared_ptr<BlockingConnection> connection_;
  /// While it connects.
  std::stop_source attempt_{std::nostopstate};
  bool is_cancelled_ = false;

  Waiter reader_{*this};
  Waiter writer_{*this};
  std::optional<std::stop_callback<Cancel>> cancellation_;
  /// By the call that it is made for.
  std::unique_ptr<std::stop_callback<Cancel>> cancellation_of_caller_;
  Call call_;
};

}  // namespace nearcall::inline v0::detail
