// SPDX-License-Identifier: Apache-2.0
// ForkMark: tells whether this is still the process that made an object.
#pragma once

#include <cstdint>

namespace nearcall::inline v0::detail {

/// Remembers the process in which it was made.
///
/// After fork(2) both processes own every descriptor, but shutdown, unlink, epoll_ctl and unlocking
/// act on the one thing behind them. A destructor that would do any of these asks first; where the
/// answer is no, it only closes.
///
/// Asking costs two loads: the current process is known from a page that the kernel empties at
/// fork (MADV_WIPEONFORK). Thread safety: any thread.
class ForkMark {
 public:
  ForkMark() noexcept : maker_(current_process()) {}

  /// Whether no fork lies between the making of this object and the caller.
  bool is_in_maker() const noexcept { return maker_ == current_process(); }

 private:
  /// Differs from that of every ancestor. Never 0.
  static std::uint64_t current_process() noexcept;

  std::uint64_t maker_;
};

}  // namespace nearcall::inline v0::detail
