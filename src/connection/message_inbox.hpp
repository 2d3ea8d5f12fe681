// SPDX-License-Identifier: Apache-2.0
// MessageInbox: the messages that come on one HTTP/2 stream.
#pragma once

#include "base/bytes.hpp"
#include "connection/message_memory.hpp"
#include "connection/message_waiter.hpp"
#include "connection/stream_binding.hpp"
#include "grpc/message_assembler.hpp"

#include <nearcall/codec.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// The messages that come for one call.
///
/// They are parsed where they lie if somebody waits for them when they arrive: in the driver's
/// buffer, or in the one buffer of a large message, into which the driver reads directly. Otherwise
/// they are kept, as bytes, and their window is given back only when they are parsed: a slow reader
/// stops its own stream.
///
/// One reader may wait. Thread safety: none; the connection's driver's.
class MessageInbox {
 public:
  enum class Read : std::uint8_t { message, pending, ended };

  MessageInbox(const StreamBinding& binding, std::size_t max_message_size) noexcept
      : binding_(&binding), assembler_(max_message_size) {}
  MessageInbox(const MessageInbox&) = delete;
  MessageInbox& operator=(const MessageInbox&) = delete;
  ~MessageInbox() = default;

  // From the stream. After either of the first two its owner may read, and then calls keep_rest().

  void arrive(ByteSpan bytes, bool end_stream);
  /// As many as were read into direct_tail().
  void arrive_directly(std::size_t count, bool end_stream);
  /// What nobody has read stays.
  void keep_rest() {
    if (input_ == Input::dropped) return;
    if (!fragment_.empty() || !assembler_.is_at_boundary()) keep_unread();
  }
  MutableByteSpan direct_tail();
  /// The session may take messages again (answer_each()).
  void on_writable();

  // To its owner.

  /// The one message of a unary request or reply is wanted as soon as it comes.
  void expect_one() noexcept { expects_one_ = true; }
  /// Each message that is read ends in one that is written (a bidirectional call at a server): a
  /// coroutine gets none while the session has a backlog (Session::may_make_message()). It is
  /// parsed when the coroutine goes on, so that what others wrote before counts.
  void answer_each() noexcept { answers_each_ = true; }
  /// Not any more: the reader is a thread, of which there are few. REQUIRES: nobody waits.
  void answer_freely() noexcept { answers_each_ = false; }
  /// The owner is told how much memory the reader's messages take (on_held()): the last one's,
  /// until the next comes, or one is waited for where the last is gone, or the reader is
  /// (release_held()).
  void count_held() noexcept {
    tells_ |= tells_of_held;
    held_ = 0;
  }
  /// Whether the owner is told of each message (on_message_received()).
  void observe(bool is_observed) noexcept {
    tells_ &= tells_of_held;
    if (is_observed) tells_ |= tells_of_messages;
  }
  /// Tells of those that are there whole and that nobody has read, where it tells of messages.
  void note_unread();
  /// The reader has gone, and with it what it had.
  void release_held() {
    if (held_ > 0) set_held(0);
  }
  /// The reader goes on and gets no message: it may free the last one at once, as hundreds of
  /// others may, so that this counts now. Not where they are counted until it is gone
  /// (count_held()).
  void count_last() {
    if (has_costly_last()) [[unlikely]]
      count_as_freed();
  }
  /// Whether count_last() would count something.
  bool has_costly_last() const noexcept { return !counts_held() && is_costly(held_); }
  /// Compressed messages are inflated with `codec`, which the peer has named.
  void inflate_with(const Codec& codec) noexcept {
    codec_ = &codec;
    assembler_.accept_compressed();
  }
  /// What a compressed message fails with (MessageAssembler).
  void refuse_compressed(Status why) noexcept { assembler_.refuse_compressed(std::move(why)); }
  /// There comes no more: readers get what is there, then nothing. They are no longer waited for.
  void finish() noexcept;
  /// Drops what was not read and whatever still comes.
  void drop() noexcept;
  /// Whether the peer has ended its messages (there may be unread ones).
  bool has_ended() const noexcept { return input_ == Input::ended; }
  bool has_unread() const noexcept;
  /// How many bytes are there that nobody has read; some may count twice. Where they may be
  /// compressed it is what they may become.
  std::size_t unread_size() const noexcept;
  /// How much memory is held for what nobody has read.
  std::size_t capacity() const noexcept { return kept_.capacity() + assembler_.capacity(); }

  // To its reader.

  /// Parses the next message, if it is there.
  Read try_read(google::protobuf::MessageLite& into);
  /// The next message is parsed into `into` when it comes; then, or at the end, `waiter` is told
  /// (null: nobody). REQUIRES: nobody waits, and try_read() said `pending`, or nothing has come.
  void wait(google::protobuf::MessageLite& into, MessageWaiter* waiter) noexcept;
  /// The same for a coroutine; at once, if there is something to read that has to wait.
  void wait(google::protobuf::MessageLite& into, std::coroutine_handle<> reader);
  /// Neither a message nor the end has come.
  bool is_waited_for() const noexcept { return into_ != nullptr; }
  /// Whether there is something to read that has to wait: for the next turn of the loop, or for
  /// room (answer_each()).
  bool is_held_back() noexcept;
  /// The stream's writer has left, with whom it shares its wait: who is held back asks again, soon.
  void look_again() noexcept {
    if (answers_each_ && into_ != nullptr) waiter_->wake();
  }
  /// Whether a message came for whom waited. Once.
  bool take_outcome() noexcept { return std::exchange(has_message_, false); }
  /// Who waits does not wait any more.
  void leave() noexcept;

 private:
  /// A message that holds as much is freed before the next one, not kept to be parsed into.
  static constexpr std::size_t large_message = std::size_t{32} * 1024;
  /// What is kept of the memory of a burst that was read.
  static constexpr std::size_t idle_capacity = 1024;

  // What the owner is told of each message that is read: bits.
  static constexpr std::uint8_t tells_of_held = 1;
  static constexpr std::uint8_t tells_of_messages = 2;

  /// open → ended, by END_STREAM or by the end of the call; → dropped: what comes is not kept.
  enum class Input : std::uint8_t { open, ended, dropped };

  class Reader final : public WaitingCoroutine {
   public:
    explicit Reader(MessageInbox& inbox) noexcept : inbox_(&inbox) {}
    void run() noexcept override {
      if (inbox_->serve_coroutine()) WaitingCoroutine::run();
    }

   private:
    MessageInbox* inbox_;
  };

  bool counts_held() const noexcept { return (tells_ & tells_of_held) != 0; }
  void tell_of_read(std::size_t arrived, std::size_t size);
  void keep_unread();
  void store_fragment();
  /// Whether what came so far ends where a message does.
  bool ends_at_message() noexcept;
  void drop_what_was_read();
  /// Memory follows what is unread, whatever was kept before.
  void shrink_kept();
  /// Parses for the one who waits, if there is one.
  void serve();
  /// The same when its coroutine is about to go on; whether it goes on.
  bool serve_coroutine();
  void finish_wait(bool has_message);
  void note_held(const google::protobuf::MessageLite& message, std::size_t size);
  void look_for_held(const google::protobuf::MessageLite& into);
  void set_held(std::size_t memory);
  static bool is_costly(std::size_t memory) noexcept { return memory > most_of_small_message; }
  void count_as_freed();
  void let_last_go(google::protobuf::MessageLite& into, std::size_t next_size);
  bool parse(ByteSpan message, google::protobuf::MessageLite& into);
  std::size_t parse_compressed(ByteSpan message, google::protobuf::MessageLite& into);
  void note_read(std::size_t arrived, std::size_t size, const google::protobuf::MessageLite& into);
  void fail_to_parse(std::size_t size, const google::protobuf::MessageLite& into);
  grpc::MessageAssembler::Step next_message();
  void fail(Status why);
  void fail_input() { fail_by_limit(assembler_.error()); }
  void fail_by_limit(const Status& why);

  const StreamBinding* binding_;
  /// Null: the peer has named none that is known.
  const Codec* codec_ = nullptr;
  grpc::MessageAssembler assembler_;
  /// A complete message in the assembler's buffer or in kept_, not read yet.
  ByteSpan parked_;
  bool has_parked_ = false;
  bool is_parked_compressed_ = false;
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
  std::uint8_t tells_ = 0;
  /// How much memory the last message takes that was read; at most, where that is not counted.
  std::size_t held_ = 0;

  /// Null: nobody waits.
  google::protobuf::MessageLite* into_ = nullptr;
  MessageWaiter* waiter_ = nullptr;
  bool has_message_ = false;
  Reader reader_{*this};
};

}  // namespace nearcall::inline v0::detail
