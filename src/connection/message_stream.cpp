// SPDX-License-Identifier: Apache-2.0
// Awaited reads and writes of a message stream.
#include "connection/message_stream.hpp"

#include "base/check.hpp"

namespace nearcall::inline v0::detail {

void MessageStream::fail_elsewhere() noexcept {
  fail_precondition(
      "read() or write(): this thread does not run the call's loop; resume_on(loop) first");
}

/// What the hooks refuse ends the call, as what cannot be parsed does.
bool MessageStream::pass_tap(bool has_message, google::protobuf::MessageLite& into) {
  if (!has_message) {
    tap_->on_read_end();
    return false;
  }
  Status passed = tap_->pass_incoming(into);
  if (passed.ok()) return true;
  in_.drop();
  binding_.owner->on_bad_message(std::move(passed));
  return false;
}

bool ReadAwaiter::await_ready() {
  stream_->require_home();
  MessageInbox& in = stream_->in();
  if (in.is_held_back()) return false;
  const MessageInbox::Read read = in.try_read(*into_);
  has_message_ = read == MessageInbox::Read::message;
  if (has_message_) stream_->note_message();
  if (read == MessageInbox::Read::ended) in.count_last();
  if (read == MessageInbox::Read::pending) return false;
  has_message_ = stream_->pass_read(has_message_, *into_);
  return true;
}

void ReadAwaiter::await_suspend(std::coroutine_handle<> reader) {
  is_waiting_ = true;
  stream_->in().wait(*into_, reader);
}

void ReadAwaiter::take_outcome() noexcept {
  is_waiting_ = false;
  has_message_ = stream_->in().take_outcome();
  if (!has_message_) stream_->in().count_last();
  has_message_ = stream_->pass_read(has_message_, *into_);
}

void ReadAwaiter::leave() noexcept {
  stream_->in().leave();
}

bool WriteAwaiter::await_ready() {
  stream_->require_home();
  if (stream_->out().is_held_back()) return false;
  const MessageOutbox::Write written = stream_->out().try_write(*message_, may_compress_);
  is_taken_ = written == MessageOutbox::Write::taken;
  if (is_taken_) stream_->note_message();
  return written != MessageOutbox::Write::full;
}

void WriteAwaiter::await_suspend(std::coroutine_handle<> writer) {
  is_waiting_ = true;
  stream_->out().wait(*message_, writer, may_compress_);
}

void WriteAwaiter::take_outcome() noexcept {
  is_waiting_ = false;
  is_taken_ = stream_->out().take_outcome();
}

void WriteAwaiter::leave() noexcept {
  stream_->out().leave();
  stream_->in().look_again();
}

}  // namespace nearcall::inline v0::detail
