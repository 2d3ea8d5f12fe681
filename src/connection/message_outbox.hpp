// SPDX-License-Identifier: Apache-2.0
// MessageOutbox: the messages that go on one HTTP/2 stream.
#pragma once

#include "base/owned_bytes.hpp"
#include "connection/message_tap.hpp"
#include "connection/message_waiter.hpp"
#include "connection/stream_binding.hpp"
#include "grpc/kept_message.hpp"
#include "grpc/outgoing_message.hpp"

#include <nearcall/codec.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace nearcall::inline v0::detail {

/// The messages that go for one call: serialised into the output of its session, if that has room.
///
///     open ──finish()──► finished ──close()──► closed
///       └────────────────close()────────────────►┘
///
/// They may be written, and waited for, before there is a stream, and while another one is made.
/// One writer may wait. Thread safety: none; the connection's driver's.
class MessageOutbox {
 public:
  enum class Write : std::uint8_t { taken, full, over };

  explicit MessageOutbox(const StreamBinding& binding) noexcept : binding_(&binding) {}
  MessageOutbox(const MessageOutbox&) = delete;
  MessageOutbox& operator=(const MessageOutbox&) = delete;
  ~MessageOutbox() = default;

  // From the stream.

  /// There is one now.
  void begin();
  void on_writable();

  // To its owner.

  /// Ends the messages, with END_STREAM, now or when there is a stream.
  void finish();
  bool is_finished() const noexcept { return state_ == State::finished; }
  /// Nobody may write any more. What ends the stream is not sent from here.
  void close() noexcept;
  /// What its writer writes passes `tap`, once that is open, while there is one.
  void set_tap(MessageTap* tap) noexcept { tap_ = tap; }
  /// The tap has opened, or what is written is taken without a stream.
  void on_tap_open() { serve(); }

  /// The largest message that is taken.
  void set_max_message_size(std::size_t bytes) noexcept { max_size_ = bytes; }
  /// Messages of `threshold` bytes or more are compressed with `codec`, which the peer is told of;
  /// null: none are.
  void compress_with(const Codec* codec, std::size_t threshold) noexcept {
    codec_ = codec;
    threshold_ = threshold;
    is_plain_ = codec == nullptr && !is_observed_;
  }
  /// The owner is told of each message (on_message_sent()).
  void observe() noexcept {
    is_observed_ = true;
    is_plain_ = false;
  }
  const Codec* codec() const noexcept { return codec_; }
  /// Whether the codec is for messages of that size.
  bool compresses(const grpc::OutgoingMessage& message) const noexcept {
    return codec_ != nullptr && message.size() >= grpc::message_prefix_size + threshold_;
  }
  /// Whether a message may be sent.
  bool takes(const grpc::OutgoingMessage& message) const noexcept {
    return message.is_at_most(max_size_);
  }
  /// OK, or why it may not.
  Status check(const grpc::OutgoingMessage& message) const;

  // To its writer. `may_compress`: as compress_with() says; else it goes as it is.

  /// Serialises a message into the session's output, if there is room.
  Write try_write(const google::protobuf::MessageLite& message, bool may_compress = true);
  /// The same whether there is room or not, for the one message of a call. If there is a `keeper`,
  /// who keeps the message as it is, what is large in it is sent from where it lies.
  Write write(const grpc::OutgoingMessage& message,
              BytesOwner* keeper,
              bool end_stream,
              bool may_compress = true);
  /// The same of one that was serialised before. `may_share`: the session may refer to its bytes
  /// until they are sent.
  Write write(const grpc::KeptMessage& message, bool may_share, bool end_stream);
  /// `message` is written when there is room, and stays until then; `waiter` is told of that, or of
  /// the end. REQUIRES: nobody waits.
  void wait(const google::protobuf::MessageLite& message,
            MessageWaiter& waiter,
            bool may_compress = true) noexcept;
  /// The same for a coroutine.
  void wait(const google::protobuf::MessageLite& message,
            std::coroutine_handle<> writer,
            bool may_compress = true);
  bool is_waited_for() const noexcept { return message_ != nullptr; }
  /// Whether a coroutine has to wait for the next turn of its loop.
  bool is_held_back() const noexcept { return binding_->is_turn_over() && !is_over(); }
  /// Whether the message of whom waited was taken. Once.
  bool take_outcome() noexcept { return std::exchange(is_taken_, false); }
  /// Who waits does not wait any more.
  void leave() noexcept;

 private:
  enum class State : std::uint8_t { open, finished, closed };

  class Writer final : public WaitingCoroutine {
   public:
    explicit Writer(MessageOutbox& outbox) noexcept : outbox_(&outbox) {}
    void run() noexcept override {
      if (outbox_->serve_coroutine()) WaitingCoroutine::run();
    }

   private:
    MessageOutbox* outbox_;
  };

  bool is_over() const noexcept { return state_ != State::open; }
  /// Writes for the one who waits, if there is one.
  void serve();
  Write write_tapped(const google::protobuf::MessageLite& message, bool may_compress);
  Write write_if_room(const google::protobuf::MessageLite& message, bool may_compress);
  Write write_unsent(const google::protobuf::MessageLite& message, bool may_compress);
  /// The same when its coroutine is about to go on; whether it goes on.
  bool serve_coroutine();
  void send_copy(ByteSpan framed, bool end_stream);
  bool send_apart(const grpc::OutgoingMessage& message, bool end_stream, bool may_compress);
  void note_sent(std::size_t size, std::size_t sent_size);

  const StreamBinding* binding_;
  MessageTap* tap_ = nullptr;
  State state_ = State::open;
  bool is_taken_ = false;
  bool may_compress_ = true;  // of the message that waits
  /// Nothing is compressed, and nobody is told of messages.
  bool is_plain_ = true;
  bool is_observed_ = false;
  const Codec* codec_ = nullptr;
  std::size_t threshold_ = 0;
  std::size_t max_size_ = grpc::OutgoingMessage::max_size;
  /// Null: nobody waits.
  const google::protobuf::MessageLite* message_ = nullptr;
  MessageWaiter* waiter_ = nullptr;
  Writer writer_{*this};
};

}  // namespace nearcall::inline v0::detail
