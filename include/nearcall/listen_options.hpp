// SPDX-License-Identifier: Apache-2.0
// ListenOptions: who may connect to a listener, and how it is set up.
#pragma once

#include <nearcall/peer_policy.hpp>

#include <sys/types.h>

#include <optional>
#include <utility>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How one listener behaves. A value; fluent.
///
/// Who connects has to pass both the policy and the permissions of the socket's file. Options of
/// which one can never admit whom the other admits are refused; with a socket that was inherited,
/// whose file is another's business, a warning is logged.
class ListenOptions {
 public:
  ListenOptions() = default;
  /// `server.listen("ipv4:127.0.0.1:0", untrusted::anyone())`.
  ListenOptions(PeerPolicy policy) : policy_(std::move(policy)) {}

  /// Who may connect; the process's user and root by default.
  ListenOptions& policy(PeerPolicy policy) & {
    policy_ = std::move(policy);
    return *this;
  }
  ListenOptions policy(PeerPolicy policy) && { return std::move(this->policy(std::move(policy))); }
  /// The permissions of the socket's file, exactly, whatever the umask; 0600 by default. Connecting
  /// needs the write bit. Permission bits only (0777). For "unix:" and "npipe:".
  ListenOptions& mode(mode_t mode) & {
    mode_ = mode;
    return *this;
  }
  ListenOptions mode(mode_t mode) && { return std::move(this->mode(mode)); }
  /// The group of the socket's file; the process's by default. One that the process belongs to,
  /// unless it is root. For "unix:" and "npipe:".
  ListenOptions& group(gid_t group) & {
    group_ = group;
    return *this;
  }
  ListenOptions group(gid_t group) && { return std::move(this->group(group)); }
  /// How many connections may wait to be accepted, 1,024 by default; the kernel caps it
  /// (net.core.somaxconn).
  ListenOptions& backlog(int connections) & {
    backlog_ = connections;
    return *this;
  }
  ListenOptions backlog(int connections) && { return std::move(backlog(connections)); }

  /// Whether to take the socket over from a server that listens there with this option, and to hand
  /// it over to the next one: the one that listened drains, and at no moment does nobody accept
  /// (docs/guides/deploy.md). No by default. For "unix:" and "npipe:"; FAILED_PRECONDITION with any
  /// other address.
  ///
  /// listen() then waits for the one that listens, whose loop has to run meanwhile, so not on this
  /// thread: for 5 s at most, and 10 s where several start at once. PERMISSION_DENIED: it is
  /// another user's.
  ListenOptions& take_over(bool may) & {
    takes_over_ = may;
    return *this;
  }
  ListenOptions take_over(bool may) && { return std::move(take_over(may)); }

  /// Whether the service manager keeps the socket from one process of the service to the next
  /// (FDSTORE of sd_notify(3); FileDescriptorStoreMax= of a unit): the path stays where it is when
  /// the server stops, clients who come meanwhile wait, also if nobody ever comes to serve them,
  /// and listen() in the next process, or of the next server in this one, begins with the same
  /// socket. systemd drops it when the unit stops and is not restarted (docs/guides/deploy.md). No
  /// by default, and where no manager has started the process. For "unix:" and "npipe:";
  /// FAILED_PRECONDITION with any other address.
  ListenOptions& keep_in_store(bool may) & {
    keeps_in_store_ = may;
    return *this;
  }
  ListenOptions keep_in_store(bool may) && { return std::move(keep_in_store(may)); }

  const PeerPolicy& policy() const noexcept { return policy_; }
  mode_t mode() const noexcept { return mode_; }
  std::optional<gid_t> group() const noexcept { return group_; }
  int backlog() const noexcept { return backlog_; }
  bool takes_over() const noexcept { return takes_over_; }
  bool keeps_in_store() const noexcept { return keeps_in_store_; }

 private:
  PeerPolicy policy_ = PeerPolicy::same_user_or_root();
  mode_t mode_ = 0600;
  std::optional<gid_t> group_;
  int backlog_ = 1024;
  bool takes_over_ = false;
  bool keeps_in_store_ = false;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
