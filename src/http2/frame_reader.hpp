// SPDX-License-Identifier: Apache-2.0
// FrameReader: bytes, cut anywhere, to frames that keep the rules of their headers.
#pragma once

#include "base/bytes.hpp"
#include "http2/frame.hpp"
#include "http2/frame_order.hpp"
#include "http2/frame_rules.hpp"
#include "http2/violation.hpp"

#include <nearcall/connection_limits.hpp>
#include <nearcall/result.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Cuts the peer's bytes into frames (RFC 9113 section 4.1). What follows from a frame's header
/// alone is checked as soon as the header is there (section 6: lengths, stream 0 or not; 4.3: the
/// order of header blocks; 3.4: SETTINGS first), so no payload is waited for in vain.
///
/// DATA is handed out in the pieces that arrive, without its padding. Of all other frames the
/// payload is whole; it is only copied when it was cut. Unknown frames beyond the limit are
/// skipped.
///
/// Thread safety: none.
class FrameReader {
 public:
  struct Frame {
    FrameHeader header;
    ByteSpan payload;
    /// DATA: the first piece, the last one. Otherwise both.
    bool begins = true;
    bool ends = true;
    /// DATA, when it begins: the length of its padding, the length octet included.
    std::uint32_t padding = 0;
  };
  enum class Step : std::uint8_t { need_input, frame, violation };

  FrameReader(const ConnectionLimits& limits, std::uint32_t max_frame_size) noexcept
      : limits_(limits), max_frame_size_(max_frame_size) {}

  /// Bytes that arrived. They stay valid until next() has answered need_input.
  void feed(ByteSpan bytes) noexcept { input_ = bytes; }
  /// What next() has not come to yet.
  ByteSpan unread() const noexcept { return input_; }
  /// Gives the front of the input to the one who reads the client's preface.
  PrefaceReader::State read_preface(PrefaceReader& preface) noexcept {
    return preface.read(input_);
  }
  /// Goes on to the next frame or piece. After a violation it must not be called again.
  Step next() { return take_whole() ? Step::frame : next_piece(); }
  /// Goes on to a DATA frame without padding of that stream, with at most so many bytes, if it is
  /// the next frame and lies whole in the input; else leaves all as it is. REQUIRES: as next().
  bool take_data(StreamId stream, std::uint32_t most) noexcept;
  /// REQUIRES: the last step answered `frame`; valid until the next one.
  const Frame& frame() const noexcept { return frame_; }
  /// REQUIRES: next() answered `violation`.
  const Violation& violation() const noexcept { return violation_; }

  /// Whether the peer's first SETTINGS have not come.
  bool awaits_settings() const noexcept { return order_.awaits_settings(); }
  /// Whether a header block has begun, with the header of its first frame, and is not complete.
  bool is_in_block() const noexcept {
    return order_.is_in_block() ||
           (state_ == State::payload && frame_.header.type == FrameType::headers);
  }

  /// How many bytes of DATA, unpadded, come next; 0 when something else does.
  std::size_t direct_bytes() const noexcept {
    return state_ == State::data && padding_left_ == 0 && input_.empty() ? data_left_ : 0;
  }
  /// That many were read elsewhere: like a piece without bytes. REQUIRES: <= direct_bytes().
  const Frame& skip_direct(std::size_t count) noexcept;

  /// Gives memory back that is not needed between frames.
  void trim() noexcept {
    if (state_ != State::header || (!held_.empty() && !held_is_used_)) return;
    held_is_used_ = false;
    held_ = std::vector<std::byte>();
  }

 private:
  enum class State : std::uint8_t { header, payload, pad_length, begin_data, data, skip };

  /// `size` bytes in a row, or null while they have not all come.
  const std::byte* collect(std::size_t size) {
    if (!held_.empty() || input_.size() < size || size == 0) return collect_slowly(size);
    const std::byte* const from = input_.data();
    input_ = input_.subspan(size);
    return from;
  }
  const std::byte* collect_slowly(std::size_t size);
  bool take_whole() noexcept;
  Step next_piece();
  Result<void, Violation> check(const std::byte* raw);
  void begin_payload() noexcept;
  Step begin_data(std::uint32_t padding) noexcept;
  Step take_piece() noexcept;
  void finish_piece(std::size_t size) noexcept;
  Step fail(const Violation& violation) noexcept;

  const ConnectionLimits& limits_;
  std::uint32_t max_frame_size_;
  ByteSpan input_;
  State state_ = State::header;
  FrameOrder order_;
  bool held_is_used_ = false;  // what collect() answered with last; the next call clears it
  std::uint32_t kept_ = 0;     // of the payload; the rest is skipped
  std::uint32_t data_left_ = 0;
  std::uint32_t padding_left_ = 0;
  std::uint32_t skip_left_ = 0;
  std::vector<std::byte> held_;  // the part that has come of what collect() waits for
  Frame frame_;
  Violation violation_;
};

}  // namespace nearcall::inline v0::detail::http2
