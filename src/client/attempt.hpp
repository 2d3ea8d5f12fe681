// SPDX-License-Identifier: Apache-2.0
// Attempt: one stream of a call, from its headers to its outcome.
#pragma once

#include "client/client_connection.hpp"
#include "client/retry_policy.hpp"
#include "connection/message_stream.hpp"
#include "connection/stream_handler.hpp"
#include "grpc/codec_set.hpp"
#include "grpc/metadata_codec.hpp"
#include "http2/header_template.hpp"

#include <nearcall/metadata.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace nearcall::inline v0::detail {

/// How the attempt ends whose stream was reset.
Outcome outcome_of_reset(const ClientConnection& connection,
                         const http2::ResetEvent& event,
                         bool has_headers);
/// What the server may have seen of an attempt whose connection has ended. Its request begins at
/// `position` of the connection's output; `is_ours`: because our side wanted that.
Seen seen_at_loss(const ClientConnection& connection, std::uint64_t position, bool is_ours);

/// Whose attempt it is.
class AttemptObserver {
 public:
  /// Its headers came.
  virtual void on_headers() = 0;
  /// It has ended, and its stream is gone. One that has failed before headers came may be opened
  /// again: not before the caller has returned.
  virtual void on_outcome(Outcome outcome) = 0;
  /// A message that came cannot be read, or one is too large to be sent.
  virtual void on_bad_message(Status why) = 0;
  /// `message` is about to be written. It is not, if the attempt is cancelled.
  virtual void on_write(const grpc::OutgoingMessage& message) = 0;
  /// As MessageOwner says it.
  virtual void on_message_sent(const Observer::Message& /*message*/) {}
  virtual void on_message_received(const Observer::Message& /*message*/) {}
  /// A message is written while the attempt is not open (MessageOwner::take_without_stream()).
  virtual bool take_unsent(const google::protobuf::MessageLite& /*message*/,
                           bool /*may_compress*/) {
    return false;
  }
  /// The requests end while the attempt is not open.
  virtual void on_unsent_end() {}
  /// Which options limit the messages that come, and that go: for people.
  virtual std::string_view receive_limit() const noexcept = 0;
  virtual std::string_view send_limit() const noexcept = 0;
  /// What messages that come may be compressed with.
  virtual const grpc::CodecSet& codecs() const noexcept { return grpc::CodecSet::usual(); }

 protected:
  ~AttemptObserver() = default;
};

/// One stream of a call: from its request's headers to the outcome, which says what the server may
/// have seen of it. Who waits for it, for how long, and whether it is repeated is its call's.
///
///     idle ──open()──► open ──(status, reset, loss)──► ended
///       ▲                │                               ▲
///       └─(unprocessed)──┴──────────cancel()─────────────┘
///
/// Those who read or write may wait for messages() before it is open, and while it is repeated.
///
/// Thread safety: none; its connection's driver's.
class Attempt final : private StreamHandler, private MessageOwner {
 public:
  Attempt(AttemptObserver& observer, std::size_t max_message_size) noexcept
      : observer_(&observer), messages_(*this, max_message_size) {}
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  ~Attempt() { release_stream(); }

  bool is_open() const noexcept { return state_ == State::open; }
  bool may_be_opened() const noexcept { return state_ == State::idle; }
  bool has_headers() const noexcept { return headers_came_; }
  const Metadata& headers() const noexcept { return headers_; }
  const Metadata& trailers() const noexcept { return trailers_; }
  MessageStream& messages() noexcept { return messages_; }

  /// Sends the request's headers, and the messages `sent_before`, with their prefixes. REQUIRES: it
  /// is idle, and the connection's open_state() is ready.
  void open(ClientConnection& connection,
            const http2::HeaderTemplate& head,
            std::span<const http2::HeaderField> fields,
            LoopCore* loop,
            ByteSpan sent_before = {});
  /// The same with all of the request, which is `message`, in one step, if it may all go now.
  /// False, and nothing is done: open(), and write it.
  bool open_whole(ClientConnection& connection,
                  const http2::HeaderTemplate& head,
                  ByteSpan message,
                  LoopCore* loop);
  /// Has the stream of another one from now on, with all that was sent on it. REQUIRES: it is idle.
  void take_over(ClientConnection& connection,
                 http2::Stream& stream,
                 std::uint64_t output_position,
                 LoopCore* loop);
  /// Ends the requests, now or as soon as it is open.
  void half_close() { messages_.out().finish(); }
  /// The stream is reset, and there is no outcome.
  void cancel();
  /// It is not opened again: whoever waits for its messages is told.
  void close();

 private:
  enum class State : std::uint8_t { idle, open, ended };

  // StreamHandler

  void on_headers(const http2::HeadersEvent& event) override;
  void on_data(ByteSpan bytes, bool end_stream) override;
  MutableByteSpan direct_tail() override { return messages_.in().direct_tail(); }
  void on_direct_data(std::size_t count, bool end_stream) override;
  void on_writable() override { messages_.on_writable(); }
  void on_reset(const http2::ResetEvent& event) override;
  void on_connection_end(const Status& why, bool is_ours) override;

  // MessageOwner

  void on_bad_message(Status why) override;
  void before_message(const grpc::OutgoingMessage& message) override {
    observer_->on_write(message);
  }
  void on_message_sent(const Observer::Message& message) override {
    observer_->on_message_sent(message);
  }
  void on_message_received(const Observer::Message& message) override {
    observer_->on_message_received(message);
  }
  bool take_without_stream(const google::protobuf::MessageLite& message,
                           bool may_compress) override {
    return observer_->take_unsent(message, may_compress);
  }
  void on_end_without_stream() override { observer_->on_unsent_end(); }
  std::string_view receive_limit() const noexcept override { return observer_->receive_limit(); }
  std::string_view send_limit() const noexcept override { return observer_->send_limit(); }
  void on_output() override;
  TurnQueue* turn_queue() noexcept override {
    return connection_ != nullptr ? connection_->turn_queue() : nullptr;
  }

  /// In DATA, without trailers.
  void on_end_stream();
  void take_headers(const http2::HeadersEvent& event);
  void take_encoding(std::string_view encoding);
  void on_response();
  void on_trailers(Status status, const http2::HeaderList& list);
  grpc::MetadataLimits limits() const noexcept;
  void on_ok();
  void reject(Status why);
  void finish(Seen seen, Status status);
  void finish_messages();
  void release_stream();

  AttemptObserver* observer_;
  MessageStream messages_;
  State state_ = State::idle;
  bool headers_came_ = false;
  bool has_failed_ = false;
  ClientConnection* connection_ = nullptr;
  /// Where its request begins in its connection's output.
  std::uint64_t output_position_ = 0;
  Metadata headers_;
  Metadata trailers_;
};

}  // namespace nearcall::inline v0::detail
