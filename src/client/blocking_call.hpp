// SPDX-License-Identifier: Apache-2.0
// BlockingCall: a call that threads wait for.
#pragma once

#include "client/blocking_connection.hpp"
#include "client/channel_core.hpp"
#include "client/client_call.hpp"

#include <nearcall/call_options.hpp>

#include <memory>
#include <optional>
#include <stop_token>

namespace nearcall::detail {

/// A call that threads wait for: one that reads or waits for the end, and one that writes.
///
/// Thread safety: reading and writing functions from one thread each; cancel() from any.
class BlockingCall final : private ClientCall {
 public:
  BlockingCall(const BoundMethod& method, const CallOptions& options, std::size_t max_message_size);
  BlockingCall(const BlockingCall&) = delete;
  BlockingCall& operator=(const BlockingCall&) = delete;
  ~BlockingCall();

  /// Connects and opens the stream, and sends `request` where there is one. What goes wrong becomes
  /// the call's status.
  void start(ChannelCore& channel,
             const google::protobuf::MessageLite* request,
             const CallOptions& options);
  /// A whole unary call.
  Status run_unary(ChannelCore& channel,
                   const google::protobuf::MessageLite& request,
                   const CallOptions& options,
                   google::protobuf::MessageLite& reply);

  /// The server provably did not begin it.
  bool may_be_repeated() const noexcept { return is_over() && is_unprocessed(); }

  bool read(google::protobuf::MessageLite& into);
  bool write(const google::protobuf::MessageLite& message);
  bool half_close();
  Status finish();
  const Metadata& headers();
  const Metadata& trailers();
  void cancel() noexcept;

 private:
  using Lock = BlockingConnection::Lock;
  struct Cancel {
    BlockingCall* call;
    void operator()() const noexcept { call->cancel(); }
  };

  void on_change() override { on_ready(); }
  void on_ready() override;
  /// One attempt on one connection.
  void open(ChannelCore& channel, const google::protobuf::MessageLite* request);
  template <class Done>
  void wait(Lock& lock, BlockedThread& thread, const Done& is_done);
  void give_back();

  ChannelCore* channel_ = nullptr;
  std::shared_ptr<BlockingConnection> connection_;
  BlockedThread reader_;
  BlockedThread writer_;
  std::optional<std::stop_callback<Cancel>> cancellation_;
};

}  // namespace nearcall::detail
