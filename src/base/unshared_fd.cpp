// SPDX-License-Identifier: Apache-2.0
// The list of all descriptors that a forked child closes.
#include "base/unshared_fd.hpp"

#include <pthread.h>

#include <mutex>
#include <utility>

namespace nearcall::inline v0::detail {

/// All there are, in a list. Held still while the process forks.
class UnsharedFd::All {
 public:
  static void add(UnsharedFd& fd) noexcept {
    static const int handlers =
        ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, &All::close_in_child);
    static_cast<void>(handlers);
    const std::lock_guard lock(mutex);
    fd.next_ = std::exchange(first, &fd);
    if (fd.next_ != nullptr) fd.next_->previous_ = &fd;
  }
  static UniqueFd take(UnsharedFd& fd) noexcept {
    const std::lock_guard lock(mutex);
    return std::move(fd.fd_);
  }
  static void remove(UnsharedFd& fd) noexcept {
    const std::lock_guard lock(mutex);
    (fd.previous_ != nullptr ? fd.previous_->next_ : first) = fd.next_;
    if (fd.next_ != nullptr) fd.next_->previous_ = fd.previous_;
  }

 private:
  static void close_in_child() noexcept {
    for (UnsharedFd* fd = first; fd != nullptr; fd = fd->next_)
      fd->fd_.reset();
    mutex.unlock();
  }

  static constinit inline std::mutex mutex;
  static constinit inline UnsharedFd* first = nullptr;
};

UnsharedFd::UnsharedFd(UniqueFd fd) noexcept : fd_(std::move(fd)) {
  All::add(*this);
}

UniqueFd UnsharedFd::take() noexcept {
  return All::take(*this);
}

UnsharedFd::~UnsharedFd() {
  All::remove(*this);
}

}  // namespace nearcall::inline v0::detail
