// SPDX-License-Identifier: Apache-2.0
// MessageStream: the messages of one call in both directions, on one HTTP/2 stream.
#pragma once

#include "async/busy_meter.hpp"
#include "async/loop_core.hpp"
#include "async/runnable.hpp"
#include "base/bytes.hpp"
#include "base/owned_bytes.hpp"
#include "grpc/kept_message.hpp"
#include "grpc/message_assembler.hpp"
#include "grpc/outgoing_message.hpp"
#include "http2/session.hpp"

#include <nearcall/status.hpp>
#include <nearcall/stream_awaiters.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace nearcall::inline v0::detail {

/// Whose messages a MessageStream carries: the call of a client or of a server.
class MessageStreamOwner {
 public:
  /// Bytes came, or the end: try_read() and has_ended() may say something new. What is not taken
  /// here is kept.
  virtual void on_input() = 0;
  /// The input is of no use: too large, cut off, or no message of the type. The stream reads no
  /// more.
  virtual void on_bad_input(Status why) = 0;
  /// A message is about to be written: what has to stand before the first one goes out now.
  virtual void before_message() {}
  /// The session has output, to be flushed when the turn ends.
  virtual void on_output() = 0;
  /// A reader or a writer that waits without a coroutine may look again.
  virtual void on_ready() {}

 protected:
  ~MessageStreamOwner() = default;
};

/// The messages of one call in both directions.
///
/// Inbound bytes are parsed where they lie if somebody waits for them when they arrive: in the
/// driver's buffer, or in the one buffer of a large message, into which the driver reads directly.
/// Otherwise they are kept, as bytes, and their window is given back only when they are parsed: a
/// slow reader stops its own stream.
///
/// One reader and one writer may wait, each a coroutine on `loop`, or without one a thread that
/// on_ready() tells. Thread safety: none; the connection's driver's.
class MessageStream {
 public:
  enum class Read : std::uint8_t { message, pending, ended };
  enum class Write : std::uint8_t { taken, full, over };
  /// More than any window covers.
  static constexpr std::size_t any_size = std::numeric_limits<std::uint32_t>::max();

  MessageStream(MessageStreamOwner& owner, std::size_t max_message_size) noexcept
      : owner_(&owner), assembler_(max_message_size) {}
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  ~MessageStream() = default;

  /// Binds it to its HTTP/2 stream; `loop` resumes coroutines that wait, null for blocking callers.
  void attach(http2::Session& session, http2::Stream& stream, LoopCore* loop) noexcept;
  /// The HTTP/2 stream is gone or about to go: nothing is read from it or written to it any more.
  void detach() noexcept;
  bool is_attached() const noexcept { return stream_ != nullptr; }
  http2::Stream& stream() const noexcept { return *stream_; }
  MessageStreamOwner& owner() const noexcept { return *owner_; }
  static MessageStream* of(const http2::Stream& stream) noexcept {
    return static_cast<MessageStream*>(stream.context());
  }

  // From the driver.

  void on_data(ByteSpan bytes, bool end_stream);
  /// Where the driver may read the next payload bytes to; empty: through its own buffer.
  MutableByteSpan direct_tail();
  void on_direct_data(std::size_t count, bool end_stream);
  /// Buffered output fell below its limit.
  void on_writable();

  // To the owner.

  /// The input ended before its end: readers get what is there, then nothing. Messages are no
  /// longer waited for.
  void end_input() noexcept;
  /// Drops what was not read and whatever still comes.
  void discard_input() noexcept;
  /// Nobody may write any more.
  void end_output() noexcept;
  /// The one message of a unary request or reply is wanted as soon as it comes.
  void expect_one() noexcept { expects_one_ = true; }
  /// Each message that is read ends in one that is written (a bidirectional call at a server): a
  /// coroutine gets none while the session has a backlog (Session::may_make_message()). It is
  /// parsed when the coroutine goes on, so that what others wrote before counts.
  void answer_each() noexcept { answers_each_ = true; }
  /// What a compressed message fails with (MessageAssembler).
  void refuse_compressed(Status why) noexcept { assembler_.refuse_compressed(std::move(why)); }
  /// Parses the next message, if it is there.
  Read try_read(google::protobuf::MessageLite& into);
  /// Whether the peer has ended its messages (there may be unread ones).
  bool has_ended() const noexcept { return input_ == Input::ended; }
  bool has_unread() const noexcept;
  /// How much memory is held for what nobody has read.
  std::size_t capacity() const noexcept { return kept_.capacity() + assembler_.capacity(); }
  /// Serialises a message into the session's output, if there is room.
  Write try_write(const google::protobuf::MessageLite& message);
  /// The same whether there is room or not, for the one message of a call. If there is a `keeper`,
  /// who keeps the message as it is, what is large in it is sent from where it lies.
  Write write(const grpc::OutgoingMessage& message, BytesOwner* keeper, bool end_stream);
  /// The same of one that was serialised before. `may_share`: the session may refer to its bytes
  /// until they are sent.
  Write write(const grpc::KeptMessage& message, bool may_share, bool end_stream);
  /// Whether a message would be taken that is `size` bytes with its prefix; without a size, one of
  /// any size.
  bool is_writable(std::size_t size = any_size) const noexcept;
  /// The loop on which coroutines that wait go on, until attach() says it.
  void set_loop(LoopCore& loop) noexcept { loop_ = &loop; }

  // A thread that waits, instead of a coroutine: the next message is parsed into `into` on arrival.

  void set_blocking_reader(google::protobuf::MessageLite* into) noexcept { reader_target_ = into; }
  /// Whether it still waits: neither a message nor the end has come.
  bool has_blocking_reader() const noexcept { return reader_target_ != nullptr; }
  /// Whether the message came; then there is no blocking reader any more.
  bool take_blocking_read() noexcept { return std::exchange(reader_got_message_, false); }

 private:
  friend ReadAwaiter;
  friend WriteAwaiter;

  /// open → ended, by END_STREAM or by the end of the call; → dropped: what comes is not kept.
  enum class Input : std::uint8_t { open, ended, dropped };

  class Resume final : public Runnable {
   public:
    void run() noexcept override { coroutine.resume(); }
    Suspended coroutine;
  };
  class ResumeReader final : public Runnable {
   public:
    explicit ResumeReader(MessageStream& stream) noexcept : stream_(&stream) {}
    void run() noexcept override { stream_->go_on_reading(); }
    Suspended coroutine;

   private:
    MessageStream* stream_;
  };

  void deliver();
  void keep_fragment();
  void store_fragment();
  /// Whether what came so far ends where a message does.
  bool ends_at_message() noexcept;
  void forget_what_was_read();
  /// Parses for the one who waits, if there is one.
  void serve_reader();
  void wake_reader(bool has_message);
  /// The reader's coroutine goes on, with what it was woken for, or may read now.
  void go_on_reading();
  /// Whether there is something to read that has to wait.
  bool is_held_back() noexcept {
    return answers_each_ && stream_ != nullptr && has_unread() &&
           !session_->may_make_message(*stream_);
  }
  void wake_writer();
  bool parse(ByteSpan message, google::protobuf::MessageLite& into);
  grpc::MessageAssembler::Step next_message();
  void fail(Status why);
  void ask_for_more();
  void consumed(std::size_t count);

  MessageStreamOwner* owner_;
  http2::Session* session_ = nullptr;
  http2::Stream* stream_ = nullptr;
  LoopCore* loop_ = nullptr;

  grpc::MessageAssembler assembler_;
  /// A complete message in the assembler's buffer or in kept_, not read yet.
  ByteSpan parked_;
  bool has_parked_ = false;
  /// Bytes that came while nobody read: from kept_begin_ on.
  std::vector<std::byte> kept_;
  std::size_t kept_begin_ = 0;
  /// Up to where kept_ is known to be whole messages; never behind its end.
  std::size_t walked_ = 0;
  /// What is being delivered right now, where the driver has it.
  ByteSpan fragment_;

  Input input_ = Input::open;
  bool expects_one_ = false;
  bool answers_each_ = false;
  bool output_is_over_ = false;

  ReadAwaiter* reader_ = nullptr;
  google::protobuf::MessageLite* reader_target_ = nullptr;
  bool reader_got_message_ = false;
  WriteAwaiter* writer_ = nullptr;
  ResumeReader resume_reader_{*this};
  Resume resume_writer_;
};

}  // namespace nearcall::inline v0::detail
