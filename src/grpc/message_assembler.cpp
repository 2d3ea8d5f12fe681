// SPDX-License-Identifier: Apache-2.0
// MessageAssembler: what does not lie whole in one fragment, and what is refused.
#include "grpc/message_assembler.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail::grpc {

std::size_t MessageAssembler::whole_messages(ByteSpan bytes) noexcept {
  std::size_t whole = 0;
  while (bytes.size() - whole >= message_prefix_size) {
    const std::size_t left = bytes.size() - whole - message_prefix_size;
    const std::size_t size = load_be32(bytes.data() + whole + 1);
    if (size > left) break;
    whole += message_prefix_size + size;
  }
  return whole;
}

MessageAssembler::Step MessageAssembler::next_slowly(ByteSpan& input) {
  switch (state_) {
    case State::failed:
      return {Kind::failed, {}};
    case State::body:
      return take_body(input);
    case State::delivered:
      release();
      [[fallthrough]];
    case State::boundary:
    case State::prefix: {
      const ByteSpan untouched = input;
      if (!take_prefix(input)) return {Kind::need_more, {}};
      if (!begin_body()) {
        input = untouched;
        return {Kind::failed, {}};
      }
      return take_body(input);
    }
  }
  return {Kind::failed, {}};
}

bool MessageAssembler::take_prefix(ByteSpan& input) noexcept {
  const std::size_t count = std::min(input.size(), message_prefix_size - prefix_size_);
  std::ranges::copy(input.first(count), prefix_.begin() + prefix_size_);
  input = input.subspan(count);
  prefix_size_ = static_cast<std::uint8_t>(prefix_size_ + count);
  if (prefix_size_ < message_prefix_size) {
    if (prefix_size_ != 0) state_ = State::prefix;
    return false;
  }
  prefix_size_ = 0;
  return true;
}

bool MessageAssembler::begin_body() {
  const std::byte flag = prefix_[0];
  const std::size_t length = load_be32(prefix_.data() + 1);
  if (flag == compressed_flag && !accepts_compressed_) {
    fail(refusal_.ok()
             ? Status::internal("message has the compressed flag, but the call has no encoding")
             : std::move(refusal_));
  } else if (flag != uncompressed_flag && flag != compressed_flag) {
    fail(Status::internal("message has the undefined flag byte " +
                          std::to_string(std::to_integer<int>(flag))));
  } else if (length > max_) {
    fail(Status::resource_exhausted("message of " + std::to_string(length) +
                                    " bytes is over the receive limit of " + std::to_string(max_) +
                                    " bytes"));
  } else {
    buffer_.expect(length);
    state_ = State::body;
  }
  return state_ == State::body;
}

MessageAssembler::Step MessageAssembler::take_body(ByteSpan& input) {
  if (buffer_.size() == 0 && input.size() >= buffer_.length()) {
    const ByteSpan message = input.first(buffer_.length());
    input = input.subspan(buffer_.length());
    state_ = State::boundary;
    return {body_kind(), message};
  }
  input = input.subspan(buffer_.append(input));
  if (buffer_.missing() != 0) return {Kind::need_more, {}};
  state_ = State::delivered;
  return {body_kind(), buffer_.bytes()};
}

void MessageAssembler::fail(Status why) {
  error_ = std::move(why);
  state_ = State::failed;
}

MutableByteSpan MessageAssembler::free_tail() {
  return state_ == State::body ? buffer_.free_tail() : MutableByteSpan();
}

void MessageAssembler::advance(std::size_t count) {
  CHECK(state_ == State::body || count == 0, count);
  if (state_ == State::body) buffer_.advance(count);
}

Status MessageAssembler::end_of_stream() const {
  if (!is_mid_message()) return error_;
  std::string why = "the stream ended inside a message";
  if (state_ == State::body) {
    why += ": " + std::to_string(buffer_.size()) + " of " + std::to_string(buffer_.length()) +
           " bytes had arrived";
  }
  return {StatusCode::internal, std::move(why)};
}

}  // namespace nearcall::inline v0::detail::grpc
