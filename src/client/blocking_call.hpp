// SPDX-License-Identifier: Apache-2.0
// BlockingCall: a call that threads wait for.
#pragma once

#include "client/backend.hpp"
#include "client/blocking_connection.hpp"
#include "client/call.hpp"
#include "client/client_chain.hpp"

#include <nearcall/client.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

namespace nearcall::inline v0::detail {

/// A Call that threads wait for: one that reads or waits for the end, and one that writes.
///
/// Its connection is of the channel's pool. The thread that waits for it also begins it once more
/// if it has to. Where its requests are streamed, and not kept for a retryPolicy, that is none but
/// start(): later another thread may write, which must not find itself on another connection.
///
/// The repeat of a call that the server did not begin goes to a fresh connection. Where the channel
/// may have no more it goes to another one, and to the same one if that is all there is, or no
/// other can be made (docs/decisions/009-where-a-call-is-repeated.md).
///
/// Thread safety: reading and writing functions from one thread each; cancel() from any.
class BlockingCall final : private CallWaiter, private ClientChain::Owner {
 public:
  BlockingCall(Backend& backend, const BoundMethod& method, const CallOptions& options);
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;
  ~BlockingCall();

  /// Connects and opens the stream, and sends `request` where there is one. What goes wrong becomes
  /// the call's status. The call may outlive its stub and its channel.
  void start(const google::protobuf::MessageLite* request, const CallOptions& options);
  /// The same with the channel's interceptors around it.
  void start_intercepted(const google::protobuf::MessageLite* request, const CallOptions& options);
  /// Its method lives as long as it does.
  void keep(NamedMethod method) { rare().method = std::move(method); }
  /// A whole unary call.
  Status run_unary(const google::protobuf::MessageLite& request,
                   const CallOptions& options,
                   google::protobuf::MessageLite& reply,
                   CallInfo* info);
  /// The same with the channel's interceptors around it.
  Status run_intercepted(const google::protobuf::MessageLite& request,
                         const CallOptions& options,
                         google::protobuf::MessageLite& reply,
                         CallInfo* info);

  bool read(google::protobuf::MessageLite& into);
  bool write(const google::protobuf::MessageLite& message, bool may_compress);
  bool half_close();
  Status finish();
  const Metadata& headers();
  const Metadata& trailers();
  /// 0 before it is over.
  int attempts();
  /// Nobody known before it is on a connection.
  PeerIdentity peer();
  void cancel() noexcept;

 private:
  using Turn = BlockingConnection::Turn;
  /// A call that streams its requests, and has a retryPolicy, may change its connection while one
  /// thread reads and another one writes; one with a hedgingPolicy may do so too, or begin further
  /// attempts on the one that it has. Whoever finds that it has to waits until the other one
  /// has left the connection, which then waits until the call has another one, or is over.
  struct Moves {
    /// From no to yes with the lock of the connection, back with place_.
    std::atomic<bool> is_moving{false};
    /// Threads that wait on the connection. Changes under its lock.
    std::atomic<int> inside{0};
    std::condition_variable moved;
  };
  /// What a call with interceptors has beside others.
  struct Interception {
    Interception(BlockingCall& made, const google::protobuf::MessageLite* request)
        : chain(made, made.call_, *made.backend_, request, /*loop=*/nullptr) {}

    ClientChain chain;
    /// Held by the thread that writes while hooks see its message: they go with their interceptors.
    std::mutex hooks;
    bool is_unary = false;
    /// Of a unary call; may be null.
    CallInfo* info = nullptr;
  };
  /// A connection that is to be put back, in that state.
  struct Resort {
    std::shared_ptr<BlockingConnection> connection;
    http2::Session::OpenState state = http2::Session::OpenState::closed;
  };
  struct Cancel {
    BlockingCall* call;
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

  /// A unary call, from its beginning to its end.
  void run(CallInfo* info);
  bool read_message(google::protobuf::MessageLite& into);
  bool write_message(const google::protobuf::MessageLite& message, bool may_compress);
  Status wait_for_status();
  bool read_intercepted(google::protobuf::MessageLite& into);
  bool write_intercepted(const google::protobuf::MessageLite& message, bool may_compress);
  void end_waiting_chain();
  /// Interceptors refuse a message.
  void refuse(const Status& why);

  // ClientChain::Owner

  bool begin_call(const google::protobuf::MessageLite* request) override;
  void on_deadline_change() override {}
  void on_chain_done() override;
  void resume_waiting() override {}

  void on_change() override;
  void on_repeat(std::optional<TimePoint> at) override;
  /// Whoever waits has to look at the time again.
  void on_next_hedge(TimePoint /*at*/) override { on_change(); }
  /// False if it is over before it began.
  bool prepare(const CallOptions& options);
  /// Opens it, and again if that is wanted at once, or by the retryPolicy.
  /// `turn` is that of the connection, if there is one afterwards.
  void begin(Turn& turn);
  /// Opens it once more, and again as begin() does. `thread` is the caller's.
  void begin_again(Turn& turn, BlockedThread& thread);
  /// Leaves the connection. What it returns may be taken again: as the last resort.
  Resort leave_for_next(Turn& turn);
  /// One attempt on one connection; whether there has to be another one. Moves `last_resort`, which
  /// may be null, if it is on that one.
  bool open(Turn& turn, BlockedThread& thread, std::shared_ptr<BlockingConnection>& last_resort);
  Result<std::shared_ptr<BlockingConnection>> find_connection(
      Turn& turn, std::shared_ptr<BlockingConnection>& last_resort);
  /// Of several backends: the call is that one's from then on, which its connection keeps.
  Result<std::shared_ptr<BlockingConnection>> find_balanced(Turn& turn, Backend::Want want);
  /// Null: another call's attempt has made one.
  Result<std::shared_ptr<BlockingConnection>> connect();
  /// What the call ends with, or the retryPolicy decides by.
  Failure<Status> fail_to_connect(const Status& why);
  /// Until the next attempt is due; false if the call ended meanwhile.
  bool pause_before_repeat();
  /// What stops when the call is cancelled.
  std::stop_source begin_stoppable();
  void send();
  void wait_for_end(Turn& turn);
  void fill(CallInfo& info);
  /// Whether there is a connection to wait on. Without one the call is over; and so it is in a
  /// forked child, whose parent goes on with it.
  bool has_connection();
  /// A turn of its connection, or false as above.
  bool enter(Turn& turn);
  bool is_moving() const noexcept { return moves_ != nullptr && moves_->is_moving; }
  /// The same, or its next attempt is due before `until`.
  bool has_other_plans(TimePoint until) const noexcept {
    return moves_ != nullptr && (moves_->is_moving || next_hedge() < until);
  }
  /// When an attempt beside others is due; no_deadline: there is none.
  TimePoint next_hedge() const noexcept {
    return call_.hedging() != nullptr ? call_.hedging()->schedule().next() : no_deadline;
  }
  void begin_hedge_if_due();
  /// What a call with a retryPolicy, or a hedgingPolicy, needs to be on other connections.
  void make_moves(bool streams_requests);
  /// The other thread leaves the connection, until end_move(), or there is another one.
  void begin_move(Turn& turn);
  void end_move(Turn& turn);
  template <class Done>
  void wait(Turn& turn, BlockedThread& thread, const Done& is_done);
  /// Leaves the connection, the call being over.
  void leave(Turn turn);
  /// The connection, which the call no longer has, nor its turn.
  std::shared_ptr<BlockingConnection> release_connection(Turn& turn);
  /// Whether another thread may call cancel(). Nobody else knows a unary call without a token.
  bool is_shared() const noexcept {
    return kept_backend_ != nullptr || cancellation_.has_value() || rare_ != nullptr;
  }
  /// Empty if nobody else can have it.
  std::unique_lock<std::mutex> lock_place();
  bool was_cancelled();

  /// Null in a unary call, which its stub waits for.
  std::shared_ptr<Backend> kept_backend_;
  Backend* backend_;
  /// It has to be opened once more, by the thread that waits for it; at that time, if there is one,
  /// else elsewhere.
  bool wants_repeat_ = false;
  std::optional<TimePoint> repeat_at_;
  bool wants_fresh_ = false;
  /// Null unless it may change its connection while two threads use it.
  std::unique_ptr<Moves> moves_;

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
  /// Null: it has none of them.
  std::unique_ptr<Rare> rare_;
  Call call_;
  /// Null: nobody intercepts it.
  std::unique_ptr<Interception> around_;
};

}  // namespace nearcall::inline v0::detail
