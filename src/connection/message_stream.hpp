// SPDX-License-Identifier: Apache-2.0
// MessageStream: the messages of one call in both directions, on one HTTP/2 stream.
#pragma once

#include "connection/message_inbox.hpp"
#include "connection/message_outbox.hpp"
#include "connection/message_tap.hpp"
#include "connection/stream_binding.hpp"

#include <nearcall/stream_awaiters.hpp>

#include <cstddef>

namespace nearcall::inline v0::detail {

/// The messages of one call: those that come, those that go, and what they have in common.
///
/// Thread safety: none; the connection's driver's.
class MessageStream {
 public:
  MessageStream(MessageOwner& owner, std::size_t max_message_size) noexcept
      : binding_{&owner}, in_(binding_, max_message_size), out_(binding_) {}
  MessageStream(const MessageStream&) = delete;
  MessageStream& operator=(const MessageStream&) = delete;
  ~MessageStream() = default;

  /// Binds it to its HTTP/2 stream; `loop` resumes coroutines that wait, null for blocking callers.
  void attach(http2::Session& session, http2::Stream& stream, LoopCore* loop) {
    binding_.session = &session;
    binding_.stream = &stream;
    binding_.loop = loop;
    out_.begin();
  }
  /// Binds it to a stream on which another one has sent what was written so far, and the end.
  void take_over(http2::Session& session, http2::Stream& stream, LoopCore* loop) noexcept {
    binding_.session = &session;
    binding_.stream = &stream;
    binding_.loop = loop;
  }
  /// The HTTP/2 stream is gone or about to go: nothing is read from it or written to it any more.
  void detach() noexcept {
    binding_.stream = nullptr;
    binding_.session = nullptr;
  }
  bool is_attached() const noexcept { return binding_.stream != nullptr; }
  http2::Stream& stream() const noexcept { return *binding_.stream; }
  /// Where coroutines that wait go on, until attach() says it.
  void set_loop(LoopCore& loop) noexcept { binding_.loop = &loop; }

  MessageInbox& in() noexcept { return in_; }
  const MessageInbox& in() const noexcept { return in_; }
  MessageOutbox& out() noexcept { return out_; }
  /// What coroutines read and write passes `tap`, while there is one.
  void set_tap(MessageTap* tap) noexcept {
    tap_ = tap;
    out_.set_tap(tap);
  }
  /// A coroutine has read a message into `into`, or found the end; whether it is to have it.
  bool pass_read(bool has_message, google::protobuf::MessageLite& into) {
    if (tap_ == nullptr) [[likely]]
      return has_message;
    return pass_tap(has_message, into);
  }

  /// REQUIRES: on the thread of the loop where coroutines go on; ends the program elsewhere, with a
  /// message for users.
  void require_home() const noexcept {
    if (binding_.loop != nullptr && !binding_.loop->is_in_this_thread()) [[unlikely]]
      fail_elsewhere();
  }
  /// A coroutine has read or written one without waiting: after some of them others have their
  /// turn.
  void note_message() const noexcept { binding_.spend_on_message(); }
  /// A message of `size` bytes is serialised by its owner, and not by out().
  void note_written(std::size_t size) const noexcept { binding_.spend_on_serialising(size); }
  /// The session takes what it did not take before.
  void on_writable() {
    out_.on_writable();
    in_.on_writable();
  }

 private:
  [[noreturn]] static void fail_elsewhere() noexcept;
  bool pass_tap(bool has_message, google::protobuf::MessageLite& into);

  StreamBinding binding_;
  MessageInbox in_;
  MessageOutbox out_;
  MessageTap* tap_ = nullptr;
};

}  // namespace nearcall::inline v0::detail
