// SPDX-License-Identifier: Apache-2.0
// Raw sockets for the tests of listeners and connectors: servers that are not ours.
#pragma once

#include "base/unique_fd.hpp"
#include "transport/socket_address.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

namespace nearcall::test {

inline detail::UniqueFd unix_socket(int type = SOCK_STREAM) {
  return detail::UniqueFd(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

/// Takes /proc away from this process alone; false if it may not.
inline bool hide_proc() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
}

/// Binds a socket to the path, and does not listen.
inline detail::UniqueFd bound_at(const std::string& path, int type = SOCK_STREAM) {
  detail::UniqueFd socket = unix_socket(type);
  const detail::SocketAddress address = detail::SocketAddress::unix_path(path);
  EXPECT_EQ(::bind(socket.get(), address.get(), address.size()), 0) << path;
  return socket;
}

/// A server that knows nothing of our lock.
inline detail::UniqueFd listening_at(const std::string& path, int backlog = 8) {
  detail::UniqueFd socket = bound_at(path);
  EXPECT_EQ(::listen(socket.get(), backlog), 0);
  return socket;
}

/// What a server leaves behind that was killed.
inline void leave_stale_socket_at(const std::string& path) {
  bound_at(path);
}

/// A connected socket, or none and errno.
inline detail::UniqueFd connected_to(const detail::SocketAddress& address) {
  detail::UniqueFd socket(
      ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), address.get(), address.size()) != 0) socket.reset();
  return socket;
}

inline detail::UniqueFd connected_to(const std::string& path) {
  return connected_to(detail::SocketAddress::unix_path(path));
}

/// Connections that nobody accepts, until there is no room for more.
inline std::vector<detail::UniqueFd> fill_backlog(const detail::SocketAddress& address) {
  std::vector<detail::UniqueFd> waiting;
  for (;;) {
    detail::UniqueFd socket = connected_to(address);
    if (!socket) return waiting;
    waiting.push_back(std::move(socket));
  }
}

/// The status of the file itself; nothing if there is none.
inline std::optional<struct stat> status_of(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return status;
}

/// Its permission bits; nothing if there is no file.
inline std::optional<mode_t> mode_of(const std::string& path) {
  const auto status = status_of(path);
  if (!status) return std::nullopt;
  return status->st_mode & 07777U;
}

/// How many descriptors of this process an exec would hand on; standard ones included.
inline int descriptors_open_on_exec() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) ++count;
  }
  return count;
}

/// Sets the umask for a scope. The process has one, so: no other threads that make files.
class ScopedUmask {
 public:
  explicit ScopedUmask(mode_t mask) : before_(::umask(mask)) {}
  ~ScopedUmask() { ::umask(before_); }
  ScopedUmask(const ScopedUmask&) = delete;
  ScopedUmask& operator=(const ScopedUmask&) = delete;

 private:
  mode_t before_;
};

}  // namespace nearcall::test
