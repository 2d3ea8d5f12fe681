// SPDX-License-Identifier: Apache-2.0
// SO_PEERCRED and SO_PEERGROUPS, and how an identity is written in logs.
#include "transport/peer_credentials.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace nearcall::inline v0::detail {
namespace {

bool is_unix_socket(int fd) noexcept {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_UNIX;
}

/// None before Linux 4.13.
std::vector<gid_t> groups_of(int fd) {
  std::array<gid_t, 32> few{};
  socklen_t size = sizeof few;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few.data(), &size) == 0) {
    return {few.begin(), few.begin() + size / sizeof(gid_t)};
  }
  if (errno != ERANGE) return {};
  std::vector<gid_t> many(size / sizeof(gid_t));
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, many.data(), &size) != 0) return {};
  return many;
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
  PeerIdentity peer(std::move(address), credentials.uid, credentials.gid, credentials.pid);
  peer.supplementary_groups(groups_of(fd));
  return peer;
}

}  // namespace nearcall::inline v0::detail

namespace nearcall::inline v0 {

bool PeerIdentity::is_in_group(gid_t group) const noexcept {
  if (!has_credentials_) return false;
  return gid_ == group || std::find(groups_.begin(), groups_.end(), group) != groups_.end();
}

std::string PeerIdentity::to_string() const {
  if (is_own_) return address_ + " own pid=" + std::to_string(pid_);
  if (!has_credentials_) return address_;
  return address_ + " uid=" + std::to_string(uid_) + " gid=" + std::to_string(gid_) +
         " pid=" + std::to_string(pid_);
}

}  // namespace nearcall::inline v0
