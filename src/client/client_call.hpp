// SPDX-License-Identifier: Apache-2.0
// ClientCall: one call at the client: what was asked, what came, how it ended.
#pragma once

#include "async/intrusive_list.hpp"
#include "base/clock.hpp"
#include "client/bound_methods.hpp"
#include "connection/message_stream.hpp"
#include "grpc/metadata_codec.hpp"

#include <nearcall/call_options.hpp>

#include <cstdint>
#include <optional>

namespace nearcall::detail {

class ClientConnection;

/// One call at the client, without a word about who waits for it.
///
///     idle ──open()──► open ──(status, reset, loss, finish())──► over
///      │▲               │                                         ▲
///      │└─(not begun)───┘                                         │
///      └──────────────────────(loss, finish())────────────────────┘
///
/// A call that the server provably did not begin goes back to idle, if begin_again() says so.
///
/// Thread safety: none; its connection's driver's.
class ClientCall : public MessageStreamOwner, public ListHook {
 public:
  ClientCall(const BoundMethod& method, const CallOptions& options, std::size_t max_message_size);
  ClientCall(const ClientCall&) = delete;
  ClientCall& operator=(const ClientCall&) = delete;

  bool is_open() const noexcept { return state_ == State::open; }
  bool is_over() const noexcept { return state_ == State::over; }
  /// Headers have come, or never will.
  bool has_headers() const noexcept { return headers_came_ || is_over(); }
  const Status& status() const noexcept { return status_; }
  const Metadata& headers() const noexcept { return headers_; }
  /// Empty until it is over: nothing writes to what this returns, whichever thread looks at it.
  const Metadata& trailers() const noexcept;
  const BoundMethod& method() const noexcept { return *method_; }
  TimePoint deadline() const noexcept { return deadline_; }
  MessageStream& messages() noexcept { return messages_; }

  /// Sends the request's headers; is over if they are more than the server takes.
  /// REQUIRES: the session is ready for a stream.
  void open(ClientConnection& connection, LoopCore* loop, bool end_stream);
  /// Ends the requests, now or as soon as it is open. False if the call is over.
  bool half_close();
  /// Ends it from this side: CANCELLED, DEADLINE_EXCEEDED and the like. The stream is reset.
  void finish(Status status);

  // From the connection.

  /// The server provably did not begin it, nor ever will.
  void on_not_begun(const Status& status);

  void on_headers(const http2::Event& event);
  void on_reset(const http2::Event& event);
  void on_lost(const Status& status);
  /// Whether nothing of it has gone to the transport.
  bool is_unsent() const noexcept;

  // MessageStreamOwner

  void on_input() override;
  void on_bad_input(Status why) override;
  void on_output() override;

 protected:
  ~ClientCall();
  /// The state changed: headers came, or it is over.
  virtual void on_change() = 0;
  enum class Again : std::uint8_t { yes, no, requests_are_gone };
  /// The server provably did not begin it, and it is idle again: whether it will be opened once
  /// more, or ends. Nothing may be opened or destroyed in here.
  virtual Again begin_again() { return Again::no; }

 private:
  enum class State : std::uint8_t { idle, open, over };

  void on_response();
  void on_trailers(Status status, const http2::HeaderList& list);
  void on_ok();
  void end(Status status);
  void release_stream();
  grpc::MetadataLimits limits() const noexcept;

  const BoundMethod* method_;
  MessageStream messages_;
  State state_ = State::idle;
  bool headers_came_ = false;
  bool wants_half_close_ = false;
  std::optional<Duration> timeout_;
  TimePoint deadline_;
  ClientConnection* connection_ = nullptr;
  /// Where its request begins in its connection's output.
  std::uint64_t output_position_ = 0;
  Metadata request_metadata_;
  Metadata headers_;
  Metadata trailers_;
  Status status_;
};

}  // namespace nearcall::detail
