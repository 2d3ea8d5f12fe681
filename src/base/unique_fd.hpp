// SPDX-License-Identifier: Apache-2.0
// UniqueFd: owns one file descriptor.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace nearcall::inline v0::detail {

/// Owns one file descriptor, or none (-1), and closes it when it goes.
///
/// Never 0, 1 or 2: a program that was started with those closed would print into what we own.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  /// Takes what a system call returned. A number below 3 is exchanged for one above; if there is
  /// none, it is closed and this holds none, with the reason in errno.
  explicit UniqueFd(int fd) noexcept
      : fd_(fd >= 0 && fd <= STDERR_FILENO ? move_above_standard(fd) : fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~UniqueFd() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  static int move_above_standard(int fd) noexcept;

  int fd_ = -1;
};

}  // namespace nearcall::inline v0::detail
