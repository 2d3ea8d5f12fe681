// SPDX-License-Identifier: Apache-2.0
// EventFd: a descriptor that is readable while something is to be told.
#pragma once

#include "base/check.hpp"
#include "base/unique_fd.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace nearcall::test {

/// An eventfd(2). Thread safety: any thread.
class EventFd {
 public:
  explicit EventFd(bool is_raised = false)
      : fd_(::eventfd(is_raised ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    CHECK(fd_, errno);
  }

  int get() const noexcept { return fd_.get(); }
  void raise() const noexcept {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(fd_.get(), &one, sizeof one));
  }
  void lower() const noexcept {
    std::uint64_t count = 0;
    static_cast<void>(!::read(fd_.get(), &count, sizeof count));
  }

 private:
  const detail::UniqueFd fd_;
};

}  // namespace nearcall::test
