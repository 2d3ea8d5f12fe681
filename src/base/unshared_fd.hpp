// SPDX-License-Identifier: Apache-2.0
// UnsharedFd: owns one file descriptor that forked children do not get.
#pragma once

#include "base/unique_fd.hpp"

namespace nearcall::inline v0::detail {

/// Owns one file descriptor, and fork(2) closes the child's copy: the same object in the child
/// holds none.
///
/// Otherwise a child that outlives us would keep our sockets connected and our locks taken, and
/// close-on-exec helps only if it calls exec. Children made by vfork(2), posix_spawn(3) or clone(2)
/// itself, which run no fork handlers, are left alone.
///
/// Thread safety: different ones from any threads.
class UnsharedFd {
 public:
  explicit UnsharedFd(UniqueFd fd) noexcept;
  ~UnsharedFd();
  UnsharedFd(const UnsharedFd&) = delete;
  UnsharedFd& operator=(const UnsharedFd&) = delete;

  /// -1 if there is none: always so in a forked child.
  int get() const noexcept { return fd_.get(); }
  /// Gives it away, to be another's. None is left.
  UniqueFd take() noexcept;

 private:
  class All;

  UniqueFd fd_;
  UnsharedFd* previous_ = nullptr;
  UnsharedFd* next_ = nullptr;
};

}  // namespace nearcall::inline v0::detail
