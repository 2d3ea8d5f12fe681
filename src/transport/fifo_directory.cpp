// SPDX-License-Identifier: Apache-2.0
// Whose directory it is, and what is a FIFO in it.
#include "transport/fifo_directory.hpp"

#include "transport/system_error.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <utility>

namespace nearcall::inline v0::detail {

FifoDirectory::FifoDirectory(std::string path, UniqueFd fd) noexcept
    : path_(std::move(path)), subject_("fifo:" + path_), fd_(std::move(fd)) {
}

Result<FifoDirectory> FifoDirectory::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string subject = "fifo:" + path;
  if (!fd) return listen_status(subject, "open directory", errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return listen_status(subject, "stat", errno);
  const auto refused = [&subject](const std::string& why) {
    return Status::failed_precondition(subject + ": " + why).with_reason(StatusReason::misuse);
  };
  if (status.st_uid != ::geteuid()) {
    return refused("the directory belongs to uid " + std::to_string(status.st_uid) +
                   ", and has to be this process's user's");
  }
  if ((status.st_mode & 077U) != 0) {
    std::array<char, 8> mode{};
    std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U);
    return refused(std::string("the directory has mode ") + mode.data() +
                   ", and has to be closed to others (0700)");
  }
  return FifoDirectory(path, std::move(fd));
}

UniqueFd FifoDirectory::open_fifo(const char* name, int flags) const noexcept {
  UniqueFd fd(::openat(fd_.get(), name, flags | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  if (!fd || (::fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode))) return fd;
  errno = EINVAL;
  return {};
}

}  // namespace nearcall::inline v0::detail
