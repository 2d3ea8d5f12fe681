// SPDX-License-Identifier: Apache-2.0
// Window: how many bytes of DATA one side may still send (RFC 9113 section 6.9).
#pragma once

#include "http2/protocol.hpp"

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// A flow-control window, of a stream or of the connection, seen from either side.
///
///  (1) size() <= max_window_size.  (2) size() may be negative after SETTINGS shrank it (6.9.2).
class Window {
 public:
  constexpr explicit Window(std::uint32_t size = 0) noexcept : size_(size) {}

  constexpr std::int64_t size() const noexcept { return size_; }
  /// What may be sent now: never negative.
  constexpr std::uint32_t available() const noexcept {
    return size_ > 0 ? static_cast<std::uint32_t>(size_) : 0;
  }
  constexpr bool covers(std::uint64_t count) const noexcept { return count <= available(); }

  /// A WINDOW_UPDATE, or a change of SETTINGS_INITIAL_WINDOW_SIZE by `delta`. False, and nothing
  /// changed, when the window would exceed its maximum (6.9.1).
  [[nodiscard]] constexpr bool change(std::int64_t delta) noexcept {
    if (size_ + delta > static_cast<std::int64_t>(max_window_size)) return false;
    size_ += delta;
    return true;
  }
  /// DATA of `count` bytes went through. REQUIRES: covers(count).
  constexpr void take(std::uint32_t count) noexcept { size_ -= count; }

  friend constexpr bool operator==(const Window&, const Window&) = default;

 private:
  std::int64_t size_;
};

}  // namespace nearcall::inline v0::detail::http2
