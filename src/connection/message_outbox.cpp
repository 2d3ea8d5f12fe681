// SPDX-License-Identifier: Apache-2.0
// Messages out: into the session's output, where it has room for them.
#include "connection/message_outbox.hpp"

#include "grpc/compressed_message.hpp"
#include "grpc/message_pieces.hpp"

#include <cstring>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

void MessageOutbox::begin() {
  if (state_ == State::finished) binding_->commands()->end_stream(*binding_->stream);
  serve();
}

void MessageOutbox::finish() {
  if (is_over()) return;
  state_ = State::finished;
  if (binding_->stream != nullptr) {
    binding_->commands()->end_stream(*binding_->stream);
  } else {
    binding_->owner->on_end_without_stream();
  }
  serve();
}

void MessageOutbox::close() noexcept {
  state_ = State::closed;
  serve();
}

// ---- writing ------------------------------------------------------------------------------------

MessageOutbox::Write MessageOutbox::try_write(const google::protobuf::MessageLite& message,
                                              bool may_compress) {
  if (is_over()) return Write::over;
  if (tap_ != nullptr) [[unlikely]]
    return write_tapped(message, may_compress);
  return write_if_room(message, may_compress);
}

MessageOutbox::Write MessageOutbox::write_tapped(const google::protobuf::MessageLite& message,
                                                 bool may_compress) {
  if (!tap_->is_open()) return Write::full;
  const google::protobuf::MessageLite* const passed = tap_->pass_copy(message);
  if (passed == nullptr) {
    binding_->owner->on_bad_message(tap_->refusal());
    return Write::over;
  }
  if (is_over()) {  // the hook has ended the call
    tap_->end_copy();
    return Write::over;
  }
  const Write written = write_if_room(*passed, may_compress);
  if (written != Write::full) tap_->end_copy();
  return written;
}

MessageOutbox::Write MessageOutbox::write_if_room(const google::protobuf::MessageLite& message,
                                                  bool may_compress) {
  if (binding_->stream == nullptr) return write_unsent(message, may_compress);
  const grpc::OutgoingMessage outgoing(message);
  if (!binding_->session->is_writable(*binding_->stream, outgoing.size())) {
    binding_->spend_on_serialising(outgoing.size());  // to measure it takes half as long
    return Write::full;
  }
  return write(outgoing, /*keeper=*/nullptr, /*end_stream=*/false, may_compress);
}

/// It is not open yet, and may never be.
MessageOutbox::Write MessageOutbox::write_unsent(const google::protobuf::MessageLite& message,
                                                 bool may_compress) {
  if (binding_->owner->take_without_stream(message, may_compress)) return Write::taken;
  return is_over() ? Write::over : Write::full;
}

MessageOutbox::Write MessageOutbox::write(const grpc::OutgoingMessage& message,
                                          BytesOwner* keeper,
                                          bool end_stream,
                                          bool may_compress) {
  if (is_over()) return Write::over;
  if (binding_->stream == nullptr) return Write::full;
  if (Status refused = check(message); !refused.ok()) {
    binding_->owner->on_bad_message(std::move(refused));
    return Write::over;
  }
  binding_->owner->before_message(message);
  if (is_over()) return Write::over;  // that could not be sent
  binding_->spend_on_serialising(message.size());
  if (!is_plain_ && send_apart(message, end_stream, may_compress)) [[unlikely]]
    return Write::taken;
  const SessionCommands session = binding_->commands();
  http2::Stream& stream = *binding_->stream;
  if (keeper != nullptr && grpc::MessagePieces::suit(message)) {
    grpc::MessagePieces pieces(message, *keeper);
    session->send_data(stream, pieces.all(), end_stream);
  } else if (const MutableByteSpan space = session->reserve_data(stream, message.size());
             !space.empty()) {
    message.write(space.data());
    session->commit_data(stream, message.size(), end_stream);
  } else {
    OwnedBytes bytes(message.size());
    message.write(bytes.writable());
    session->send_data(stream, std::move(bytes), end_stream);
  }
  return Write::taken;
}

MessageOutbox::Write MessageOutbox::write(const grpc::KeptMessage& message,
                                          bool may_share,
                                          bool end_stream) {
  if (is_over()) return Write::over;
  if (binding_->stream == nullptr) return Write::full;
  if (may_share && !message.shared().empty()) {
    binding_->commands()->send_data(*binding_->stream, message.shared().share(), end_stream);
  } else {
    send_copy(message.bytes(), end_stream);
  }
  return Write::taken;
}

Status MessageOutbox::check(const grpc::OutgoingMessage& message) const {
  Status checked = message.check(max_size_);
  if (checked.ok() || max_size_ >= grpc::OutgoingMessage::max_size) return checked;
  return Status(checked.code(), std::string(checked.message()) + " (" +
                                    std::string(binding_->owner->send_limit()) + ")")
      .with_reason(checked.reason());
}

/// Whether it was sent, compressed.
[[gnu::noinline]] bool MessageOutbox::send_apart(const grpc::OutgoingMessage& message,
                                                 bool end_stream,
                                                 bool may_compress) {
  if (!may_compress || !compresses(message)) {
    if (is_observed_) note_sent(message.size(), message.size());
    return false;
  }
  binding_->spend_on_compressing(message.size());
  const grpc::CompressedMessage compressed(message, *codec_);
  if (is_observed_) note_sent(message.size(), compressed.bytes().size());
  send_copy(compressed.bytes(), end_stream);
  return true;
}

void MessageOutbox::note_sent(std::size_t size, std::size_t sent_size) {
  binding_->owner->on_message_sent(
      {size - grpc::message_prefix_size, sent_size - grpc::message_prefix_size});
}

void MessageOutbox::send_copy(ByteSpan framed, bool end_stream) {
  const SessionCommands session = binding_->commands();
  http2::Stream& stream = *binding_->stream;
  const MutableByteSpan space = session->reserve_data(stream, framed.size());
  if (space.empty()) return session->send_data(stream, OwnedBytes::copy_of(framed), end_stream);
  std::memcpy(space.data(), framed.data(), framed.size());
  session->commit_data(stream, framed.size(), end_stream);
}

// ---- who waits ----------------------------------------------------------------------------------

void MessageOutbox::wait(const google::protobuf::MessageLite& message,
                         MessageWaiter& waiter,
                         bool may_compress) noexcept {
  if (message_ != nullptr) {
    fail_precondition(
        "a stream is written by two coroutines or threads at a time; one writes what others give "
        "it, from an AsyncQueue for example");
  }
  message_ = &message;
  waiter_ = &waiter;
  is_taken_ = false;
  may_compress_ = may_compress;
  binding_->owner->on_message_kept();
}

void MessageOutbox::wait(const google::protobuf::MessageLite& message,
                         std::coroutine_handle<> writer,
                         bool may_compress) {
  wait(message, writer_, may_compress);
  writer_.set(*binding_->loop, writer);
  if (is_held_back()) writer_.wait_for_turn(binding_->turn_queue());
}

void MessageOutbox::leave() noexcept {
  if (tap_ != nullptr) [[unlikely]]
    tap_->end_copy();
  writer_.unlink();
  waiter_ = nullptr;
  if (std::exchange(message_, nullptr) == nullptr || binding_->stream == nullptr) return;
  binding_->commands()->leave(*binding_->stream);  // others may have waited for what it held
}

void MessageOutbox::on_writable() {
  serve();
}

bool MessageOutbox::serve_coroutine() {
  if (message_ == nullptr) return true;  // it was served
  if (is_held_back()) {
    writer_.wait_for_turn(binding_->turn_queue());
    return false;
  }
  serve();
  writer_.unlink();  // it goes on right now
  return message_ == nullptr;
}

void MessageOutbox::serve() {
  if (message_ == nullptr) return;
  const Write written = try_write(*message_, may_compress_);
  if (message_ == nullptr) return;  // the message ended the call
  if (written == Write::full) return binding_->owner->on_message_kept();
  message_ = nullptr;
  is_taken_ = written == Write::taken;
  std::exchange(waiter_, nullptr)->wake();
}

}  // namespace nearcall::inline v0::detail
