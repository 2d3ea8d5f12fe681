// SPDX-License-Identifier: Apache-2.0
// WorkMeter: how much is done for a peer's bytes, and when the others have their turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace nearcall::inline v0::detail::http2 {

/// What a peer makes us do, in units of about a nanosecond of a 3 GHz core. The prices are those of
/// the worst peer, not of the usual one: what a peer sends costs at most about what is counted,
/// whatever it is. Counted, not measured, so that it is the same on any machine.
///
/// A turn ends when its units are used up; what was begun is finished (a header block costs at most
/// about three turns more).
///
/// Thread safety: none.
class WorkMeter {
 public:
  using Units = std::int64_t;

  /// What one turn of a connection may take: half a millisecond.
  static constexpr Units turn = 500'000;

  /// For each frame, each piece of a DATA frame. One that came by a write of its own costs the
  /// kernel most of that: a buffer, and a look at who waits for room.
  static constexpr Units frame = 1000;
  /// For each stream that one frame makes us visit.
  static constexpr Units visit = 20;
  /// For bytes that are copied or skipped.
  static constexpr Units of_copied(std::size_t bytes) noexcept {
    return static_cast<Units>(bytes / 8);
  }
  /// For bytes of memory that is new, which the kernel clears first.
  static constexpr Units of_new(std::uint64_t bytes) noexcept { return static_cast<Units>(bytes); }
  /// For the bytes of a header block, each of which may be a field or two Huffman codes.
  static constexpr Units of_block(std::size_t bytes) noexcept {
    return 20 * static_cast<Units>(bytes);
  }
  /// For the bytes of a header list, each of which is looked at a few times
  /// (HeaderList::list_size()).
  static constexpr Units of_fields(std::size_t bytes) noexcept { return static_cast<Units>(bytes); }

  /// Until this is called, there is no end to a turn.
  void begin_turn(Units allowed = turn) noexcept { end_ = spent_ + allowed; }
  void end_turn() noexcept { end_ = spent_; }
  bool is_turn_over() const noexcept { return spent_ >= end_; }
  void spend(Units units) noexcept { spent_ += units; }
  /// All that was ever spent.
  Units spent() const noexcept { return spent_; }

 private:
  Units spent_ = 0;
  Units end_ = std::numeric_limits<Units>::max();
};

}  // namespace nearcall::inline v0::detail::http2
