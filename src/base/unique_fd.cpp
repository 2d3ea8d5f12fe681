// SPDX-License-Identifier: Apache-2.0
// How descriptors keep away from standard input, output and error.
#include "base/unique_fd.hpp"

#include <fcntl.h>

#include <cerrno>

namespace nearcall::inline v0::detail {

int UniqueFd::move_above_standard(int fd) noexcept {
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int reason = errno;
  ::close(fd);
  errno = reason;
  return above;
}

}  // namespace nearcall::inline v0::detail
