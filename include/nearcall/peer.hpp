// SPDX-License-Identifier: Apache-2.0
// PeerIdentity: who is on the other side of a connection, in the kernel's words.
#pragma once

#include <nearcall/version.hpp>

#include <sys/types.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Who is on the other side of a connection, as the kernel said when it was made (SO_PEERCRED, see
/// unix(7)), and its address.
///
/// The credentials are those at the time of connect(2) (or listen(2), seen from a client): the pid
/// may belong to another process by now, so decide on uid and groups and only log the pid.
/// Ids of 65534 are also how users and groups outside our user namespace look: PeerPolicy trusts
/// them only where that cannot be.
///
/// A value. Thread safety: as a std::string.
class PeerIdentity {
 public:
  /// Nobody known: a transport that carries no identity.
  PeerIdentity() = default;
  explicit PeerIdentity(std::string address) : address_(std::move(address)) {}
  PeerIdentity(std::string address, uid_t uid, gid_t gid, pid_t pid)
      : address_(std::move(address)), uid_(uid), gid_(gid), pid_(pid), has_credentials_(true) {}
  /// An end that is ours by the way it was made: in this process, in one of a pair of parent and
  /// child that share it, or in a directory that is closed to others. Nobody has to vouch for it,
  /// so it has no credentials. `pid`: 0 if it is not known.
  static PeerIdentity own(std::string address, pid_t pid) {
    PeerIdentity peer(std::move(address));
    peer.pid_ = pid;
    peer.is_own_ = true;
    return peer;
  }
  /// Supplementary groups, besides gid().
  PeerIdentity& supplementary_groups(std::vector<gid_t> groups) & {
    groups_ = std::move(groups);
    return *this;
  }
  PeerIdentity supplementary_groups(std::vector<gid_t> groups) && {
    return std::move(supplementary_groups(std::move(groups)));
  }

  /// Whether uid, gid and pid come from the kernel. False on TCP and most custom transports.
  bool has_credentials() const noexcept { return has_credentials_; }
  /// Whether it was made by own(): PeerPolicy takes it for this process's user, and never for root.
  bool is_own() const noexcept { return is_own_; }
  /// (uid_t)-1 without credentials.
  uid_t uid() const noexcept { return uid_; }
  /// (gid_t)-1 without credentials.
  gid_t gid() const noexcept { return gid_; }
  /// Supplementary groups (SO_PEERGROUPS); none without credentials.
  std::span<const gid_t> supplementary_groups() const& noexcept { return groups_; }
  /// Whether gid() or a supplementary group is this one.
  bool is_in_group(gid_t group) const noexcept;
  /// 0 without credentials (unless is_own()), and for a process outside our pid namespace.
  pid_t pid() const noexcept { return pid_; }
  /// The address in target form: "unix:/run/x.sock", "ipv4:127.0.0.1:4711".
  const std::string& address() const noexcept { return address_; }

  /// "unix:/run/x.sock uid=1000 gid=1000 pid=4711" or "inproc:x own pid=4711", for logs.
  std::string to_string() const;

 private:
  std::string address_;
  uid_t uid_ = static_cast<uid_t>(-1);
  gid_t gid_ = static_cast<gid_t>(-1);
  pid_t pid_ = 0;
  bool has_credentials_ = false;
  bool is_own_ = false;
  std::vector<gid_t> groups_;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
