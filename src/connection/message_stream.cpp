// SPDX-License-Identifier: Apache-2.0
// Messages in: parsed where they lie, or kept until somebody reads. Messages out.
#include "connection/message_stream.hpp"

#include "base/check.hpp"
#include "grpc/message_pieces.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

using Step = grpc::MessageAssembler::Step;
using Kind = grpc::MessageAssembler::Kind;

void MessageStream::attach(http2::Session& session,
                           http2::Stream& stream,
                           LoopCore* loop) noexcept {
  session_ = &session;
  stream_ = &stream;
  loop_ = loop;
  stream.set_context(this);
  wake_writer();
}

void MessageStream::detach() noexcept {
  stream_ = nullptr;
  session_ = nullptr;
}

// ---- in -----------------------------------------------------------------------------------------

void MessageStream::on_data(ByteSpan bytes, bool end_stream) {
  if (input_ == Input::dropped) return consumed(bytes.size());
  fragment_ = bytes;
  if (end_stream) input_ = Input::ended;
  deliver();
}

void MessageStream::on_direct_data(std::size_t count, bool end_stream) {
  if (input_ == Input::dropped) return consumed(count);
  assembler_.advance(count);
  if (end_stream) input_ = Input::ended;
  deliver();
}

MutableByteSpan MessageStream::direct_tail() {
  if (input_ == Input::dropped || has_parked_ || kept_begin_ != kept_.size()) return {};
  return assembler_.free_tail();
}

void MessageStream::deliver() {
  serve_reader();
  if (input_ != Input::dropped) owner_->on_input();
  if (input_ != Input::dropped) keep_fragment();
}

void MessageStream::keep_fragment() {
  const bool has_bytes = !fragment_.empty();
  store_fragment();
  // A tiny frame that completes a message is free (ConnectionLimits), whether it was read or not: a
  // reader that is behind is no fault of the peer's.
  if (!has_bytes || stream_ == nullptr || !http2::Session::was_tiny(*stream_)) return;
  if (ends_at_message()) session_->message_completed(*stream_);
}

bool MessageStream::ends_at_message() noexcept {
  if (kept_begin_ == kept_.size()) return !assembler_.is_mid_message();
  walked_ = std::max(walked_, kept_begin_);
  walked_ += grpc::MessageAssembler::whole_messages(ByteSpan(kept_).subspan(walked_));
  return walked_ == kept_.size();
}

/// What nobody took: the rest of a message under way goes to its buffer, whole messages stay bytes.
void MessageStream::store_fragment() {
  const bool is_under_way =
      !has_parked_ && kept_begin_ == kept_.size() && (assembler_.is_mid_message() || expects_one_);
  if (is_under_way) {
    const bool lies_in_fragment = assembler_.buffered() == 0;  // if it is a message
    const Step step = assembler_.next(fragment_);
    if (step.kind == Kind::failed) return fail(assembler_.error());
    if (step.kind == Kind::message) {
      has_parked_ = true;
      if (lies_in_fragment) {
        kept_.assign(step.message.begin(), step.message.end());
        walked_ = 0;
        kept_begin_ = kept_.size();
        parked_ = kept_;
      } else {
        parked_ = step.message;
      }
    } else {
      ask_for_more();
    }
  }
  if (!fragment_.empty()) {
    forget_what_was_read();
    const bool parked_is_kept = has_parked_ && parked_.data() == kept_.data();
    kept_.insert(kept_.end(), fragment_.begin(), fragment_.end());
    if (parked_is_kept) parked_ = ByteSpan(kept_).first(parked_.size());  // it may have moved
    fragment_ = {};
  }
}

/// A reader may be behind for as long as the stream lasts, so this does not wait for the end of
/// what is kept. Moves no more bytes than have been read.
void MessageStream::forget_what_was_read() {
  const std::size_t unread = kept_.size() - kept_begin_;
  if (has_parked_ || kept_begin_ < unread) return;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_begin_));
  walked_ -= std::min(walked_, kept_begin_);
  kept_begin_ = 0;
}

void MessageStream::ask_for_more() {
  if (stream_ != nullptr && assembler_.missing() > 0) {
    session_->needs(*stream_, assembler_.missing());
    if (session_->has_credit()) owner_->on_output();
  }
}

void MessageStream::consumed(std::size_t count) {
  if (stream_ == nullptr || count == 0) return;
  session_->consumed(*stream_, count);
  if (session_->has_credit()) owner_->on_output();
}

Step MessageStream::next_message() {
  if (has_parked_) {
    has_parked_ = false;
    return {Kind::message, parked_};
  }
  if (kept_begin_ != kept_.size()) {
    ByteSpan rest = ByteSpan(kept_).subspan(kept_begin_);
    const Step step = assembler_.next(rest);
    kept_begin_ = kept_.size() - rest.size();
    if (step.kind != Kind::need_more) return step;
  }
  const Step step = assembler_.next(fragment_);
  return step;
}

MessageStream::Read MessageStream::try_read(google::protobuf::MessageLite& into) {
  if (input_ == Input::dropped) return Read::ended;
  const Step step = next_message();
  switch (step.kind) {
    case Kind::message: {
      if (!parse(step.message, into)) return Read::ended;
      assembler_.let_go();
      consumed(step.arrived_size());
      return Read::message;
    }
    case Kind::failed:
      fail(assembler_.error());
      return Read::ended;
    case Kind::need_more:
      break;
  }
  if (input_ == Input::open) {
    ask_for_more();
    return Read::pending;
  }
  if (Status cut = assembler_.end_of_stream(); !cut.ok()) fail(std::move(cut));
  return Read::ended;
}

bool MessageStream::has_unread() const noexcept {
  return has_parked_ || kept_begin_ != kept_.size() || !fragment_.empty() ||
         assembler_.is_mid_message();
}

bool MessageStream::parse(ByteSpan message, google::protobuf::MessageLite& into) {
  if (message.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
      into.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return true;
  }
  fail(Status(StatusCode::internal, "a message of " + std::to_string(message.size()) +
                                        " bytes cannot be parsed as " + into.GetTypeName()));
  return false;
}

void MessageStream::fail(Status why) {
  discard_input();
  owner_->on_bad_input(std::move(why));
}

void MessageStream::end_input() noexcept {
  if (input_ == Input::open) input_ = Input::ended;
  serve_reader();
}

void MessageStream::discard_input() noexcept {
  if (input_ == Input::dropped) return;
  input_ = Input::dropped;
  has_parked_ = false;
  parked_ = {};
  fragment_ = {};
  kept_ = std::vector<std::byte>();
  kept_begin_ = 0;
  walked_ = 0;
  assembler_.drop();
  if (stream_ != nullptr) {
    session_->dropped(*stream_);
    if (session_->has_credit()) owner_->on_output();
  }
  wake_reader(/*has_message=*/false);
}

// ---- who waits ----------------------------------------------------------------------------------

void MessageStream::serve_reader() {
  if (reader_ == nullptr && reader_target_ == nullptr) return;
  if (answers_each_) {
    if (!resume_reader_.is_linked()) loop_->schedule(resume_reader_);
    return;
  }
  google::protobuf::MessageLite& into = reader_ != nullptr ? *reader_->into_ : *reader_target_;
  switch (try_read(into)) {
    case Read::message:
      return wake_reader(/*has_message=*/true);
    case Read::ended:
      return wake_reader(/*has_message=*/false);
    case Read::pending:
      return;
  }
}

void MessageStream::wake_reader(bool has_message) {
  if (reader_ != nullptr) {
    std::exchange(reader_, nullptr)->has_message_ = has_message;
    if (!resume_reader_.is_linked()) loop_->schedule(resume_reader_);
  } else if (reader_target_ != nullptr) {
    reader_target_ = nullptr;
    reader_got_message_ = has_message;
    owner_->on_ready();
  }
}

void MessageStream::go_on_reading() {
  if (reader_ != nullptr) {
    if (is_held_back()) return;
    const Read read = try_read(*reader_->into_);
    if (read == Read::pending) return;
    // Null: the message was none, and ended the call.
    if (reader_ != nullptr) std::exchange(reader_, nullptr)->has_message_ = read == Read::message;
    resume_reader_.unlink();
  }
  resume_reader_.coroutine.resume();
}

void MessageStream::wake_writer() {
  if (writer_ == nullptr) return;
  const Write written = try_write(*writer_->message_);
  if (written == Write::full || writer_ == nullptr) return;  // null: the message ended the call
  std::exchange(writer_, nullptr)->is_taken_ = written == Write::taken;
  loop_->schedule(resume_writer_);
}

void MessageStream::on_writable() {
  wake_writer();
  owner_->on_ready();
  if (answers_each_ && reader_ != nullptr) go_on_reading();
}

void MessageStream::end_output() noexcept {
  output_is_over_ = true;
  wake_writer();
}

// ---- out ----------------------------------------------------------------------------------------

bool MessageStream::is_writable(std::size_t size) const noexcept {
  return stream_ != nullptr && !output_is_over_ && session_->is_writable(*stream_, size);
}

MessageStream::Write MessageStream::try_write(const google::protobuf::MessageLite& message) {
  if (output_is_over_) return Write::over;
  if (stream_ == nullptr) return Write::full;  // not open yet
  const grpc::OutgoingMessage outgoing(message);
  if (!is_writable(outgoing.size())) return Write::full;
  return write(outgoing, /*keeper=*/nullptr, /*end_stream=*/false);
}

MessageStream::Write MessageStream::write(const grpc::OutgoingMessage& message,
                                          BytesOwner* keeper,
                                          bool end_stream) {
  if (output_is_over_) return Write::over;
  if (stream_ == nullptr) return Write::full;
  if (Status refused = message.check(); !refused.ok()) {
    fail(std::move(refused));
    return Write::over;
  }
  owner_->before_message();
  if (output_is_over_) return Write::over;  // that could not be sent
  if (keeper != nullptr && grpc::MessagePieces::suit(message)) {
    grpc::MessagePieces pieces(message, *keeper);
    session_->send_data(*stream_, pieces.all(), end_stream);
  } else if (const MutableByteSpan space = session_->reserve_data(*stream_, message.size());
             !space.empty()) {
    message.write(space.data());
    session_->commit_data(*stream_, message.size(), end_stream);
  } else {
    OwnedBytes bytes(message.size());
    message.write(bytes.writable());
    session_->send_data(*stream_, std::move(bytes), end_stream);
  }
  owner_->on_output();
  return Write::taken;
}

MessageStream::Write MessageStream::write(const grpc::KeptMessage& message,
                                          bool may_share,
                                          bool end_stream) {
  if (output_is_over_) return Write::over;
  if (stream_ == nullptr) return Write::full;
  const ByteSpan bytes = message.bytes();
  if (may_share && !message.shared().empty()) {
    session_->send_data(*stream_, message.shared().share(), end_stream);
  } else if (const MutableByteSpan space = session_->reserve_data(*stream_, bytes.size());
             !space.empty()) {
    std::memcpy(space.data(), bytes.data(), bytes.size());
    session_->commit_data(*stream_, bytes.size(), end_stream);
  } else {
    session_->send_data(*stream_, OwnedBytes::copy_of(bytes), end_stream);
  }
  owner_->on_output();
  return Write::taken;
}

// ---- awaiters -----------------------------------------------------------------------------------

bool ReadAwaiter::await_ready() {
  if (stream_->is_held_back()) return false;
  switch (stream_->try_read(*into_)) {
    case MessageStream::Read::message:
      has_message_ = true;
      return true;
    case MessageStream::Read::ended:
      return true;
    case MessageStream::Read::pending:
      return false;
  }
  return true;
}

void ReadAwaiter::await_suspend(std::coroutine_handle<> reader) {
  CHECK(stream_->reader_ == nullptr && "one read at a time");
  is_waiting_ = true;
  stream_->reader_ = this;
  stream_->resume_reader_.coroutine = Suspended(reader);
}

void ReadAwaiter::leave() noexcept {
  if (stream_->reader_ == this) stream_->reader_ = nullptr;
  stream_->resume_reader_.unlink();
}

bool WriteAwaiter::await_ready() {
  switch (stream_->try_write(*message_)) {
    case MessageStream::Write::taken:
      is_taken_ = true;
      return true;
    case MessageStream::Write::over:
      return true;
    case MessageStream::Write::full:
      return false;
  }
  return true;
}

void WriteAwaiter::await_suspend(std::coroutine_handle<> writer) {
  CHECK(stream_->writer_ == nullptr && "one write at a time");
  is_waiting_ = true;
  stream_->writer_ = this;
  stream_->resume_writer_.coroutine = Suspended(writer);
}

void WriteAwaiter::leave() noexcept {
  if (stream_->writer_ == this) stream_->writer_ = nullptr;
  stream_->resume_writer_.unlink();
}

}  // namespace nearcall::inline v0::detail
