// SPDX-License-Identifier: Apache-2.0
// UniqueFd: what it owns is never a standard descriptor.
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>

namespace nearcall::inline v0::detail {
namespace {

int open_null() {
  return ::open("/dev/null", O_RDWR | O_CLOEXEC);
}

/// The exit status of a forked child that runs `body` without standard descriptors.
template <class Body>
int in_child_without_standard_descriptors(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    for (int fd = 0; fd <= STDERR_FILENO; ++fd)
      ::close(fd);
    ::_exit(body());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(UniqueFd, LeavesTheStandardDescriptorsToTheProgram) {
  EXPECT_EQ(in_child_without_standard_descriptors([] {
              const UniqueFd first(open_null());
              const UniqueFd second(open_null());
              if (first.get() <= STDERR_FILENO || second.get() <= STDERR_FILENO) return 1;
              if (::fcntl(second.get(), F_GETFD) != FD_CLOEXEC) return 2;
              return ::fcntl(STDOUT_FILENO, F_GETFD) == -1 ? 0 : 3;
            }),
            0);
}

TEST(UniqueFd, WithoutARoomAboveItHoldsNoneAndSaysWhy) {
  EXPECT_EQ(in_child_without_standard_descriptors([] {
              const rlimit three{3, 3};
              if (::setrlimit(RLIMIT_NOFILE, &three) != 0) return 1;
              const UniqueFd fd(open_null());
              if (fd || errno == 0) return 2;
              return ::fcntl(STDIN_FILENO, F_GETFD) == -1 ? 0 : 3;
            }),
            0);
}

TEST(UniqueFd, KeepsAFailureAsNone) {
  errno = ENOENT;

  const UniqueFd fd(-1);

  EXPECT_FALSE(fd);
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
