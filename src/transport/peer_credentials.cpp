// SPDX-License-Identifier: Apache-2.0
// SO_PEERCRED and SO_PEERPIDFD, and how an identity is written in logs.
#include "transport/peer_credentials.hpp"

#include "transport/system_error.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <utility>

namespace nearcall {
namespace {

#ifdef SO_PEERPIDFD
constexpr int so_peerpidfd = SO_PEERPIDFD;
#else
constexpr int so_peerpidfd = 77;  // of asm-generic/socket.h; older headers lack it
#endif

bool is_unix_socket(int fd) noexcept {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
}

}  // namespace

PeerIdentity peer_identity(int fd, std::string address) {
  if (!is_unix_socket(fd)) return PeerIdentity(std::move(address));
  ucred credentials{};
  socklen_t size = sizeof credentials;
  const int result = ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  const bool is_known = result == 0 && size == sizeof credentials &&
                        credentials.uid != static_cast<uid_t>(-1);  // -1: not connected
  if (!is_known) return PeerIdentity(std::move(address));
  return {std::move(address), credentials.uid, credentials.gid, credentials.pid};
}

Result<UniqueFd, std::error_code> peer_pidfd(int fd) noexcept {
  if (!is_unix_socket(fd)) return Failure{system_error(ENOPROTOOPT)};
  int pidfd = -1;
  socklen_t size = sizeof pidfd;
  if (::getsockopt(fd, SOL_SOCKET, so_peerpidfd, &pidfd, &size) != 0) {
    return Failure{system_error(errno)};
  }
  UniqueFd owned(pidfd);
  ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);  // the kernel sets it already; cheap to be sure
  return owned;
}

std::string PeerIdentity::to_string() const {
  if (!has_credentials_) return address_;
  return address_ + " uid=" + std::to_string(uid_) + " gid=" + std::to_string(gid_) +
         " pid=" + std::to_string(pid_);
}

}  // namespace nearcall
