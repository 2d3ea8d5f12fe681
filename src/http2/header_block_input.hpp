// SPDX-License-Identifier: Apache-2.0
// HeaderBlockInput: HEADERS and the CONTINUATIONs behind it, put together (RFC 9113 section 4.3).
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "http2/frame_reader.hpp"
#include "http2/violation.hpp"

#include <nearcall/connection_limits.hpp>

#include <cstdint>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Gathers one header block at a time, within its limits. A block that comes in one frame, as
/// nearly all do, is not copied. That frames come in the right order is FrameOrder's.
///
/// Thread safety: none. Owns no memory before the first block in pieces.
class HeaderBlockInput {
 public:
  enum class Step : std::uint8_t { more, block, violation };
  using Frame = FrameReader::Frame;

  explicit HeaderBlockInput(const ConnectionLimits& limits) noexcept : limits_(limits) {}

  /// HEADERS (6.2).
  Step begin(const Frame& frame) {
    constexpr std::uint8_t besides =
        frame_flag::padded | frame_flag::priority | frame_flag::end_headers;
    const bool is_block_alone = (frame.header.flags & besides) == frame_flag::end_headers;
    if (!is_block_alone || frame.payload.size() > limits_.max_header_block_size)
      return begin_slowly(frame);
    block_ = frame.payload;
    ends_stream_ = frame.header.has(frame_flag::end_stream);
    depends_on_itself_ = false;
    waits_since_ = no_deadline;
    return Step::block;
  }
  /// CONTINUATION (6.10).
  Step go_on(const Frame& frame);
  /// REQUIRES: the last step answered `block`. Valid until the next step, and as long as its frame.
  ByteSpan block() const noexcept { return block_; }
  /// REQUIRES: the last step answered `violation`.
  const Violation& violation() const noexcept { return violation_; }
  /// Of the block's HEADERS: END_STREAM; and a dependency on its own stream (RFC 7540 5.3.1).
  bool ends_stream() const noexcept { return ends_stream_; }
  bool depends_on_itself() const noexcept { return depends_on_itself_; }

  /// All that came is read, and a block has begun and is not complete.
  void note_waiting(TimePoint now) noexcept {
    if (waits_since_ == no_deadline) waits_since_ = now;
  }
  /// When that was noted first of the block that is open; no_deadline: of none.
  TimePoint waits_since() const noexcept { return waits_since_; }

  /// Gives memory back. REQUIRES: no block is open.
  void trim() noexcept { pieces_ = std::vector<std::byte>(); }

 private:
  Step begin_slowly(const Frame& frame);
  bool strip(const FrameHeader& header) noexcept;
  Step fail(ErrorCode code, std::string_view what) noexcept;
  Step fail_too_large() noexcept;

  const ConnectionLimits& limits_;
  ByteSpan block_;
  std::vector<std::byte> pieces_;
  std::uint32_t continuations_ = 0;
  bool ends_stream_ = false;
  bool depends_on_itself_ = false;
  TimePoint waits_since_ = no_deadline;
  Violation violation_;
};

}  // namespace nearcall::inline v0::detail::http2
