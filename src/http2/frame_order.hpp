// SPDX-License-Identifier: Apache-2.0
// FrameOrder: which frame may come next, whatever it says (RFC 9113 sections 3.4 and 4.3).
#pragma once

#include "http2/frame.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// Each side begins with SETTINGS, and nothing comes between the frames of a header block:
///
///     first --SETTINGS--> between --HEADERS, CONTINUATION without END_HEADERS--> in_block
///                            ^                                                       |
///                            +----------------CONTINUATION, END_HEADERS--------------+
///
/// It is the one memory of both: whether the peer's SETTINGS have come, and whose block is open.
/// Thread safety: none.
class FrameOrder {
 public:
  /// Whether a frame with this header may come now. `raw`: the header's bytes; where what came
  /// first is no frame at all the violation says what it looks like.
  Result<void, Violation> check(const FrameHeader& header, const std::byte* raw) const {
    if (state_ == State::between && header.type != FrameType::continuation) [[likely]]
      return {};
    return check_slowly(header, raw);
  }
  /// A frame that check() allowed has come, all of it. DATA need not be told.
  void pass(const FrameHeader& header) noexcept {
    const bool is_of_block =
        header.type == FrameType::headers || header.type == FrameType::continuation;
    open_block_ = is_of_block && !header.has(frame_flag::end_headers) ? header.stream : 0;
    state_ = open_block_ != 0 ? State::in_block : State::between;
  }

  /// The peer's first SETTINGS have not come, or not all of them.
  bool awaits_settings() const noexcept { return state_ == State::first; }
  bool is_in_block() const noexcept { return state_ == State::in_block; }
  /// Any frame but CONTINUATION may come.
  bool is_between() const noexcept { return state_ == State::between; }

 private:
  enum class State : std::uint8_t { first, between, in_block };

  Result<void, Violation> check_slowly(const FrameHeader& header, const std::byte* raw) const;

  State state_ = State::first;
  StreamId open_block_ = 0;
};

}  // namespace nearcall::inline v0::detail::http2
