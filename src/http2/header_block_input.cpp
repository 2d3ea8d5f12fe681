// SPDX-License-Identifier: Apache-2.0
// HeaderBlockInput: what of each frame belongs to the block.
#include "http2/header_block_input.hpp"

#include <cstddef>

namespace nearcall::inline v0::detail::http2 {

HeaderBlockInput::Step HeaderBlockInput::begin_slowly(const Frame& frame) {
  constexpr std::uint8_t besides_block = frame_flag::padded | frame_flag::priority;
  block_ = frame.payload;
  continuations_ = 0;
  ends_stream_ = frame.header.has(frame_flag::end_stream);
  depends_on_itself_ = false;
  if (frame.header.has(besides_block) && !strip(frame.header)) return Step::violation;
  if (block_.size() > limits_.max_header_block_size) return fail_too_large();
  if (frame.header.has(frame_flag::end_headers)) {
    waits_since_ = no_deadline;
    return Step::block;
  }
  pieces_.assign(block_.begin(), block_.end());
  return Step::more;
}

HeaderBlockInput::Step HeaderBlockInput::go_on(const Frame& frame) {
  if (++continuations_ > limits_.max_continuations) {
    return fail(ErrorCode::enhance_your_calm, "too many CONTINUATIONs (max_continuations)");
  }
  if (pieces_.size() + frame.payload.size() > limits_.max_header_block_size) {
    return fail_too_large();
  }
  pieces_.insert(pieces_.end(), frame.payload.begin(), frame.payload.end());
  if (!frame.header.has(frame_flag::end_headers)) return Step::more;
  block_ = pieces_;
  waits_since_ = no_deadline;
  return Step::block;
}

/// Takes padding and priority fields off the block; false: they are malformed.
bool HeaderBlockInput::strip(const FrameHeader& header) noexcept {
  std::size_t padding = 0;
  if (header.has(frame_flag::padded)) {
    if (block_.empty()) {
      fail(ErrorCode::frame_size_error, "HEADERS without its pad length");
      return false;
    }
    padding = std::to_integer<std::size_t>(block_.front());
    block_ = block_.subspan(1);
  }
  if (header.has(frame_flag::priority)) {
    if (block_.size() < payload_size::priority) {
      fail(ErrorCode::frame_size_error, "HEADERS without its priority");
      return false;
    }
    depends_on_itself_ = (load_be32(block_.data()) & max_stream_id) == header.stream;
    block_ = block_.subspan(payload_size::priority);
  }
  if (padding > block_.size()) {
    fail(ErrorCode::protocol_error, "padding as long as the frame");
    return false;
  }
  block_ = block_.first(block_.size() - padding);
  return true;
}

HeaderBlockInput::Step HeaderBlockInput::fail(ErrorCode code, std::string_view what) noexcept {
  violation_ = {Violation::Scope::connection, code, what};
  return Step::violation;
}

HeaderBlockInput::Step HeaderBlockInput::fail_too_large() noexcept {
  return fail(ErrorCode::enhance_your_calm, "header block too large (max_header_block_size)");
}

}  // namespace nearcall::inline v0::detail::http2
