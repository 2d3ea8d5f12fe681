// SPDX-License-Identifier: Apache-2.0
// StreamBinding: whose the messages of a call are, and the HTTP/2 stream that carries them.
#pragma once

#include "async/loop_core.hpp"
#include "connection/session_commands.hpp"
#include "grpc/outgoing_message.hpp"
#include "http2/session.hpp"

#include <nearcall/observer.hpp>
#include <nearcall/status.hpp>

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <string_view>

namespace nearcall::inline v0::detail {

/// Whose messages they are: the call of a client or of a server.
class MessageOwner {
 public:
  /// A message that came is of no use (too large, cut off, or none of its type), or one is too
  /// large to be sent. No more are read.
  virtual void on_bad_message(Status why) = 0;
  /// `message` is about to be written: what has to stand before the first one goes out now.
  virtual void before_message(const grpc::OutgoingMessage& /*message*/) {}
  /// Of one that is observed (observe()): a message is about to go, or its reader has it.
  virtual void on_message_sent(const Observer::Message& /*message*/) {}
  virtual void on_message_received(const Observer::Message& /*message*/) {}
  /// The reader's messages take `after` bytes of memory now, and took `before`
  /// (MessageInbox::count_held()).
  virtual void on_held(std::size_t /*before*/, std::size_t /*after*/) {}
  /// A message is written while there is no stream: whether it was taken all the same.
  virtual bool take_without_stream(const google::protobuf::MessageLite& /*message*/,
                                   bool /*may_compress*/) {
    return false;
  }
  /// The messages end while there is no stream.
  virtual void on_end_without_stream() {}
  /// A message waits for room in the output: until then its owner keeps it.
  virtual void on_message_kept() {}
  /// Which option it was that a message was too large for: for people.
  virtual std::string_view receive_limit() const noexcept {
    return "the client's max_receive_message_size, of ChannelOptions or CallOptions";
  }
  /// The same of one that was to be sent.
  virtual std::string_view send_limit() const noexcept {
    return "the client's max_send_message_size, of ChannelOptions or CallOptions";
  }
  /// Where its coroutines wait for later turns of their loop, with all others of its connection;
  /// null where there is none.
  virtual TurnQueue* turn_queue() noexcept { return nullptr; }
  /// The session has output, to be flushed when the turn ends.
  virtual void on_output() = 0;

 protected:
  ~MessageOwner() = default;
};

/// What both directions of a call have in common: whose the messages are, and, while there is one,
/// the stream that carries them.
struct StreamBinding {
  MessageOwner* owner;
  http2::Session* session = nullptr;
  http2::Stream* stream = nullptr;
  /// Where coroutines that wait go on.
  LoopCore* loop = nullptr;

  /// REQUIRES: there is a stream.
  SessionCommands<MessageOwner> commands() const noexcept { return {*owner, *session}; }
  /// `count` bytes that came are not held any more.
  void consumed(std::size_t count) const {
    if (stream == nullptr || count == 0) return;
    session->consumed(*stream, count);
    send_credit();
  }
  /// A message that is under way lacks `count` bytes.
  void needs(std::size_t count) const {
    if (stream == nullptr || count == 0) return;
    session->needs(*stream, count);
    send_credit();
  }
  /// REQUIRES: there is a loop.
  TurnQueue& turn_queue() const noexcept {
    TurnQueue* const queue = owner->turn_queue();
    return queue != nullptr ? *queue : loop->unowned_work();
  }
  /// Whether coroutines have read and written enough in this turn of their loop.
  bool is_turn_over() const noexcept { return loop != nullptr && loop->budget().is_spent(); }
  /// A message is parsed from `size` bytes.
  void spend_on_parsing(std::size_t size) const noexcept { spend(size * work_of_parsed_byte); }
  /// A message is serialised to `size` bytes.
  void spend_on_serialising(std::size_t size) const noexcept {
    spend(size * work_of_serialised_byte);
  }
  /// A message of `size` bytes is inflated; what comes out is for spend_on_parsing().
  void spend_on_inflating(std::size_t size) const noexcept { spend(size * work_of_inflated_byte); }
  /// A message of `size` bytes is compressed.
  void spend_on_compressing(std::size_t size) const noexcept {
    spend(size * work_of_compressed_byte);
  }
  /// `memory` bytes of a message are measured, or were freed.
  void spend_on_memory(std::size_t memory) const noexcept { spend(memory / memory_of_work); }
  /// As many were looked at for what they have.
  void spend_on_look(std::size_t memory) const noexcept { spend(memory / memory_of_look); }
  /// What comes for other streams waits, too, where a message took what was left of the turn.
  void end_turn_if_spent() const noexcept {
    if (stream != nullptr && is_turn_over()) session->end_turn();
  }
  /// A coroutine has had a message without waiting for it.
  void spend_on_message() const noexcept { loop->budget().spend(work_of_message); }
  /// Nothing more that comes is held.
  void dropped() const {
    if (stream == nullptr) return;
    session->dropped(*stream);
    send_credit();
  }

 private:
  // In units of TurnBudget.
  static constexpr std::size_t work_of_message = 64;
  // Of messages of the smallest fields: nobody knows before what one consists of.
  static constexpr std::size_t work_of_parsed_byte = 16;
  static constexpr std::size_t work_of_serialised_byte = 1;
  // Of blocks that have a Huffman table each, and nothing else.
  static constexpr std::size_t work_of_inflated_byte = 16;
  static constexpr std::size_t work_of_compressed_byte = 8;
  // For a unit:
  static constexpr std::size_t memory_of_work = 2;
  static constexpr std::size_t memory_of_look = 16;

  void spend(std::size_t work) const noexcept {
    if (loop != nullptr) loop->budget().spend(work);
  }

  void send_credit() const {
    if (session->has_credit()) owner->on_output();
  }
};

}  // namespace nearcall::inline v0::detail
