// SPDX-License-Identifier: Apache-2.0
// FrameReader: the states between two bytes.
#include "http2/frame_reader.hpp"

#include "http2/frame_rules.hpp"

#include <algorithm>

namespace nearcall::inline v0::detail::http2 {

/// Takes what nearly all frames are: HEADERS with a whole block, or DATA without padding, that lies
/// whole in the input and breaks no rule. All others are next_piece()'s, which says what is wrong.
bool FrameReader::take_whole() noexcept {
  if (state_ != State::header || !order_.is_between() || !held_.empty()) return false;
  if (input_.size() < frame_header_size) return false;
  const FrameHeader header = load_frame_header(input_.data());
  const bool is_block = header.type == FrameType::headers && header.has(frame_flag::end_headers) &&
                        header.length <= limits_.max_header_block_size;
  const bool is_data = header.type == FrameType::data && !header.has(frame_flag::padded);
  if (!is_block && !is_data) return false;
  if (header.stream == 0 || header.length > max_frame_size_) return false;
  if (header.length > input_.size() - frame_header_size) return false;
  frame_ = {header, input_.subspan(frame_header_size, header.length)};
  input_ = input_.subspan(frame_header_size + header.length);
  return true;
}

bool FrameReader::take_data(StreamId stream, std::uint32_t most) noexcept {
  if (state_ != State::header || !order_.is_between() || !held_.empty()) return false;
  if (input_.size() < frame_header_size) return false;
  const FrameHeader header = load_frame_header(input_.data());
  if (header.type != FrameType::data || header.has(frame_flag::padded)) return false;
  if (header.stream != stream || header.length > std::min(most, max_frame_size_)) return false;
  if (header.length > input_.size() - frame_header_size) return false;
  frame_ = {header, input_.subspan(frame_header_size, header.length)};
  input_ = input_.subspan(frame_header_size + header.length);
  return true;
}

FrameReader::Step FrameReader::next_piece() {
  for (;;) {
    switch (state_) {
      case State::header: {
        if (input_.empty()) return Step::need_input;
        const std::byte* const raw = collect(frame_header_size);
        if (raw == nullptr) return Step::need_input;
        frame_.header = load_frame_header(raw);
        if (const auto checked = check(raw); !checked) return fail(checked.error());
        begin_payload();
        break;
      }
      case State::payload: {
        const std::byte* const payload = collect(kept_);
        if (payload == nullptr) return Step::need_input;
        frame_.payload = {payload, kept_};
        frame_.begins = frame_.ends = true;
        order_.pass(frame_.header);
        state_ = skip_left_ > 0 ? State::skip : State::header;
        return Step::frame;
      }
      case State::pad_length: {
        const std::byte* const length = collect(1);
        if (length == nullptr) return Step::need_input;
        padding_left_ = std::to_integer<std::uint32_t>(*length);
        if (padding_left_ >= frame_.header.length) {
          return fail({Violation::Scope::connection, ErrorCode::protocol_error,
                       "padding as long as the frame"});
        }
        return begin_data(padding_left_ + 1);
      }
      case State::begin_data:
        return begin_data(0);
      case State::data:
        if (input_.empty()) return Step::need_input;
        frame_.begins = false;
        frame_.padding = 0;
        return take_piece();
      case State::skip: {
        const std::size_t skipped = std::min<std::size_t>(skip_left_, input_.size());
        input_ = input_.subspan(skipped);
        skip_left_ -= static_cast<std::uint32_t>(skipped);
        if (skip_left_ > 0) return Step::need_input;
        state_ = State::header;
        break;
      }
    }
  }
}

const std::byte* FrameReader::collect_slowly(std::size_t size) {
  static constexpr std::byte nothing{};
  if (held_is_used_) {
    held_.clear();
    held_is_used_ = false;
    return collect(size);
  }
  if (size == 0) return &nothing;
  const ByteSpan more = input_.first(std::min(size - held_.size(), input_.size()));
  held_.insert(held_.end(), more.begin(), more.end());
  input_ = input_.subspan(more.size());
  if (held_.size() < size) return nullptr;
  held_is_used_ = true;
  return held_.data();
}

Result<void, Violation> FrameReader::check(const std::byte* raw) {
  if (const auto order = order_.check(frame_.header, raw); !order) return order;
  return check_frame_header(frame_.header, max_frame_size_, limits_);
}

void FrameReader::begin_payload() noexcept {
  const FrameHeader& header = frame_.header;
  kept_ = header.length;
  switch (header.type) {
    case FrameType::data:
      state_ = header.has(frame_flag::padded) ? State::pad_length : State::begin_data;
      return;
    case FrameType::goaway:
      kept_ = std::min<std::uint32_t>(kept_, payload_size::goaway + limits_.max_goaway_debug);
      break;
    case FrameType::headers:
    case FrameType::priority:
    case FrameType::rst_stream:
    case FrameType::settings:
    case FrameType::push_promise:
    case FrameType::ping:
    case FrameType::window_update:
    case FrameType::continuation:
      break;
    default:
      if (header.length > limits_.max_unknown_payload) {
        skip_left_ = header.length;
        state_ = State::skip;
        return;
      }
  }
  skip_left_ = header.length - kept_;
  state_ = State::payload;
}

FrameReader::Step FrameReader::begin_data(std::uint32_t padding) noexcept {
  frame_.begins = true;
  frame_.padding = padding;
  padding_left_ = padding > 0 ? padding - 1 : 0;
  data_left_ = frame_.header.length - padding;
  return take_piece();
}

FrameReader::Step FrameReader::take_piece() noexcept {
  frame_.payload = input_.first(std::min<std::size_t>(data_left_, input_.size()));
  input_ = input_.subspan(frame_.payload.size());
  finish_piece(frame_.payload.size());
  return Step::frame;
}

void FrameReader::finish_piece(std::size_t size) noexcept {
  data_left_ -= static_cast<std::uint32_t>(size);
  frame_.ends = data_left_ == 0;
  state_ = State::data;
  if (!frame_.ends) return;
  skip_left_ = padding_left_;
  state_ = skip_left_ > 0 ? State::skip : State::header;
}

const FrameReader::Frame& FrameReader::skip_direct(std::size_t count) noexcept {
  frame_.begins = false;
  frame_.padding = 0;
  frame_.payload = {};
  finish_piece(count);
  return frame_;
}

FrameReader::Step FrameReader::fail(const Violation& violation) noexcept {
  violation_ = violation;
  return Step::violation;
}

}  // namespace nearcall::inline v0::detail::http2
