// SPDX-License-Identifier: Apache-2.0
// Messages in: parsed where they lie, or kept until somebody reads.
#include "connection/message_inbox.hpp"

#include "grpc/inflated_message.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

using Step = grpc::MessageAssembler::Step;
using Kind = grpc::MessageAssembler::Kind;

// ---- what comes ---------------------------------------------------------------------------------

void MessageInbox::arrive(ByteSpan bytes, bool end_stream) {
  if (input_ == Input::dropped) return binding_->consumed(bytes.size());
  fragment_ = bytes;
  if (end_stream) input_ = Input::ended;
  serve();
}

void MessageInbox::arrive_directly(std::size_t count, bool end_stream) {
  if (input_ == Input::dropped) return binding_->consumed(count);
  assembler_.advance(count);
  if (end_stream) input_ = Input::ended;
  serve();
}

MutableByteSpan MessageInbox::direct_tail() {
  if (input_ == Input::dropped || has_parked_ || kept_begin_ != kept_.size()) return {};
  return assembler_.free_tail();
}

void MessageInbox::keep_unread() {
  const bool has_bytes = !fragment_.empty();
  store_fragment();
  // A tiny frame that completes a message is free (ConnectionLimits), whether it was read or not: a
  // reader that is behind is no fault of the peer's.
  if (!has_bytes || binding_->stream == nullptr) return;
  if (!http2::Session::was_tiny(*binding_->stream)) return;
  if (ends_at_message()) binding_->session->message_completed(*binding_->stream);
}

bool MessageInbox::ends_at_message() noexcept {
  if (kept_begin_ == kept_.size()) return !assembler_.is_mid_message();
  walked_ = std::max(walked_, kept_begin_);
  walked_ += grpc::MessageAssembler::whole_messages(ByteSpan(kept_).subspan(walked_));
  return walked_ == kept_.size();
}

/// What nobody took: the rest of a message under way goes to its buffer, whole messages stay bytes.
void MessageInbox::store_fragment() {
  const bool is_under_way =
      !has_parked_ && kept_begin_ == kept_.size() && (assembler_.is_mid_message() || expects_one_);
  if (is_under_way) {
    const bool lies_in_fragment = assembler_.buffered() == 0;  // if it is a message
    const Step step = assembler_.next(fragment_);
    if (step.kind == Kind::failed) return fail_input();
    if (step.kind != Kind::need_more) {
      has_parked_ = true;
      is_parked_compressed_ = step.kind == Kind::compressed;
      if (lies_in_fragment) {
        kept_.assign(step.message.begin(), step.message.end());
        walked_ = 0;
        kept_begin_ = kept_.size();
        parked_ = kept_;
      } else {
        parked_ = step.message;
      }
    } else {
      binding_->needs(assembler_.missing());
    }
  }
  if (!fragment_.empty()) {
    drop_what_was_read();
    const bool parked_is_kept = has_parked_ && parked_.data() == kept_.data();
    kept_.insert(kept_.end(), fragment_.begin(), fragment_.end());
    if (parked_is_kept) parked_ = ByteSpan(kept_).first(parked_.size());  // it may have moved
    fragment_ = {};
  }
}

/// A reader may be behind for as long as the stream lasts, so this does not wait for the end of
/// what is kept. Moves no more bytes than have been read.
void MessageInbox::drop_what_was_read() {
  const std::size_t unread = kept_.size() - kept_begin_;
  if (has_parked_ || kept_begin_ < unread) return;
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_begin_));
  walked_ -= std::min(walked_, kept_begin_);
  kept_begin_ = 0;
}

void MessageInbox::shrink_kept() {
  const std::size_t unread = kept_.size() - kept_begin_;
  if (has_parked_ || kept_.capacity() <= idle_capacity + 4 * unread) return;
  const ByteSpan rest = ByteSpan(kept_).subspan(kept_begin_);
  kept_ = std::vector<std::byte>(rest.begin(), rest.end());
  walked_ -= std::min(walked_, kept_begin_);
  kept_begin_ = 0;
}

Step MessageInbox::next_message() {
  if (has_parked_) {
    has_parked_ = false;
    return {is_parked_compressed_ ? Kind::compressed : Kind::message, parked_};
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

// ---- reading ------------------------------------------------------------------------------------

MessageInbox::Read MessageInbox::try_read(google::protobuf::MessageLite& into) {
  if (input_ == Input::dropped) return Read::ended;
  const Step step = next_message();
  switch (step.kind) {
    case Kind::message:
      if (!parse(step.message, into)) return Read::ended;
      note_read(step.arrived_size(), step.arrived_size(), into);
      return Read::message;
    case Kind::compressed: {
      const std::size_t size = parse_compressed(step.message, into);
      if (size == 0) return Read::ended;
      note_read(step.arrived_size(), size, into);
      return Read::message;
    }
    case Kind::failed:
      fail_input();
      return Read::ended;
    case Kind::need_more:
      if (kept_.capacity() > idle_capacity) shrink_kept();
      break;
  }
  if (input_ == Input::open) {
    binding_->needs(assembler_.missing());
    return Read::pending;
  }
  if (Status cut = assembler_.end_of_stream(); !cut.ok()) fail(std::move(cut));
  return Read::ended;
}

/// A message has been parsed, which came in as many bytes, and was made of `size`.
inline void MessageInbox::note_read(std::size_t arrived,
                                    std::size_t size,
                                    const google::protobuf::MessageLite& into) {
  assembler_.release();
  if (kept_.capacity() > idle_capacity) shrink_kept();
  binding_->consumed(arrived);
  if (tells_ > tells_of_held) [[unlikely]]
    tell_of_read(arrived, size);
  if (counts_held()) {
    note_held(into, size);
  } else {
    held_ = size * most_memory_of_byte;
  }
}

[[gnu::noinline]] void MessageInbox::tell_of_read(std::size_t arrived, std::size_t size) {
  binding_->owner->on_message_received(
      {size - grpc::message_prefix_size, arrived - grpc::message_prefix_size});
}

void MessageInbox::note_unread() {
  if (tells_ < tells_of_messages || input_ == Input::dropped) return;
  if (has_parked_) {
    const std::size_t size = grpc::message_prefix_size + parked_.size();
    tell_of_read(size, size);
  }
  for (ByteSpan rest : {ByteSpan(kept_).subspan(kept_begin_), fragment_}) {
    rest = rest.first(grpc::MessageAssembler::whole_messages(rest));
    while (!rest.empty()) {
      const std::size_t size = grpc::message_prefix_size + load_be32(rest.data() + 1);
      tell_of_read(size, size);
      rest = rest.subspan(size);
    }
  }
}

bool MessageInbox::has_unread() const noexcept {
  return has_parked_ || kept_begin_ != kept_.size() || !fragment_.empty() ||
         assembler_.is_mid_message();
}

std::size_t MessageInbox::unread_size() const noexcept {
  if (codec_ != nullptr) [[unlikely]]
    return has_unread() ? assembler_.max_message_size() : 0;
  const std::size_t parked = has_parked_ ? parked_.size() : 0;
  return parked + kept_.size() - kept_begin_ + fragment_.size() + assembler_.buffered();
}

bool MessageInbox::parse(ByteSpan message, google::protobuf::MessageLite& into) {
  binding_->spend_on_parsing(message.size());
  if (held_ >= large_message) [[unlikely]]
    let_last_go(into, message.size());
  if (message.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
      into.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return true;
  }
  fail_to_parse(message.size(), into);
  return false;
}

/// What its message was made of, with a prefix; 0: it was none, which ended the call. Not inlined:
/// few calls have any.
[[gnu::noinline]] std::size_t MessageInbox::parse_compressed(ByteSpan message,
                                                             google::protobuf::MessageLite& into) {
  binding_->spend_on_inflating(message.size());
  grpc::InflatedMessage inflated(assembler_.max_message_size());
  const Status refused = inflated.inflate(*codec_, message);
  binding_->spend_on_parsing(inflated.size());
  binding_->end_turn_if_spent();  // one read may bring a thousand times as much of these
  if (!refused.ok()) {
    fail_by_limit(refused);
    return 0;
  }
  if (held_ >= large_message) let_last_go(into, inflated.size());
  if (!inflated.parse(into)) {
    fail_to_parse(inflated.size(), into);
    return 0;
  }
  return grpc::message_prefix_size + inflated.size();
}

void MessageInbox::fail_to_parse(std::size_t size, const google::protobuf::MessageLite& into) {
  fail(Status(StatusCode::internal, "a message of " + std::to_string(size) +
                                        " bytes cannot be parsed as " + into.GetTypeName()));
}

/// What was refused before it was parsed; of a limit people want to know whose it is.
void MessageInbox::fail_by_limit(const Status& why) {
  if (why.code() != StatusCode::resource_exhausted) return fail(why);
  fail(Status::resource_exhausted(std::string(why.message()) + " (" +
                                  std::string(binding_->owner->receive_limit()) + ")")
           .with_reason(StatusReason::limit));
}

void MessageInbox::fail(Status why) {
  drop();
  binding_->owner->on_bad_message(std::move(why));
}

void MessageInbox::finish() noexcept {
  if (input_ == Input::open) input_ = Input::ended;
  serve();
}

void MessageInbox::drop() noexcept {
  if (input_ == Input::dropped) return;
  input_ = Input::dropped;
  has_parked_ = false;
  parked_ = {};
  fragment_ = {};
  kept_ = std::vector<std::byte>();
  kept_begin_ = 0;
  walked_ = 0;
  assembler_.drop();
  binding_->dropped();
  if (into_ != nullptr) finish_wait(/*has_message=*/false);
}

// ---- what its reader has ------------------------------------------------------------------------

void MessageInbox::note_held(const google::protobuf::MessageLite& message, std::size_t size) {
  const std::size_t memory = memory_of(message, size);
  set_held(memory);
  if (size >= small_message) binding_->spend_on_memory(memory);
}

/// Where `into` is empty, the last message is gone.
void MessageInbox::look_for_held(const google::protobuf::MessageLite& into) {
  binding_->spend_on_look(held_);
  if (into.ByteSizeLong() == 0) release_held();
}

void MessageInbox::set_held(std::size_t memory) {
  const std::size_t before = std::exchange(held_, memory);
  if (memory == 0 && is_costly(before)) [[unlikely]] {
    binding_->spend_on_memory(before);
    note_freed_memory(before);
  }
  binding_->owner->on_held(before, memory);
}

void MessageInbox::count_as_freed() {
  const std::size_t memory = std::exchange(held_, 0);
  binding_->spend_on_memory(memory);
  note_freed_memory(memory);
}

/// One that is parsed into the memory of a message as large frees nothing.
void MessageInbox::let_last_go(google::protobuf::MessageLite& into, std::size_t next_size) {
  if (counts_held()) {
    free_memory_of(into);
    release_held();
  } else if (const std::size_t next = next_size * most_memory_of_byte; next < held_) {
    held_ -= next;
    count_last();
  }
  binding_->end_turn_if_spent();
}

// ---- who waits ----------------------------------------------------------------------------------

void MessageInbox::wait(google::protobuf::MessageLite& into, MessageWaiter* waiter) noexcept {
  if (into_ != nullptr) {
    fail_precondition(
        "a stream is read by two coroutines or threads at a time; one reads, and tells others");
  }
  into_ = &into;
  waiter_ = waiter;
  has_message_ = false;
  if (counts_held() && held_ >= large_message) [[unlikely]]
    look_for_held(into);
}

void MessageInbox::wait(google::protobuf::MessageLite& into, std::coroutine_handle<> reader) {
  wait(into, &reader_);
  reader_.set(*binding_->loop, reader);
  if (binding_->is_turn_over() && has_unread()) reader_.wait_for_turn(binding_->turn_queue());
}

void MessageInbox::leave() noexcept {
  into_ = nullptr;
  waiter_ = nullptr;
  reader_.unlink();
}

bool MessageInbox::is_held_back() noexcept {
  if (binding_->is_turn_over() && has_unread()) return true;
  return answers_each_ && binding_->stream != nullptr && has_unread() &&
         !binding_->session->may_make_message(*binding_->stream);
}

void MessageInbox::serve() {
  if (into_ == nullptr) return;
  if (answers_each_) return waiter_->wake();  // it is served when it runs
  const Read read = try_read(*into_);
  // Null: the message was none, and ended the call.
  if (read != Read::pending && into_ != nullptr) finish_wait(read == Read::message);
}

bool MessageInbox::serve_coroutine() {
  if (into_ == nullptr) return true;  // it was served
  if (is_held_back()) {
    if (binding_->is_turn_over()) reader_.wait_for_turn(binding_->turn_queue());
    return false;
  }
  const Read read = try_read(*into_);
  if (read == Read::pending) return false;
  binding_->spend_on_message();
  if (into_ != nullptr) finish_wait(read == Read::message);
  reader_.unlink();  // it goes on right now
  return true;
}

void MessageInbox::finish_wait(bool has_message) {
  into_ = nullptr;
  has_message_ = has_message;
  if (MessageWaiter* const waiter = std::exchange(waiter_, nullptr)) waiter->wake();
}

void MessageInbox::on_writable() {
  if (answers_each_ && into_ != nullptr) reader_.run();
}

}  // namespace nearcall::inline v0::detail
