// SPDX-License-Identifier: Apache-2.0
// PeerPolicy: who may be on the other side of a connection.
#pragma once

#include <nearcall/peer.hpp>
#include <nearcall/result.hpp>

#include <sys/types.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

class PeerPolicy;

/// What opens a server to peers that nobody vouches for has to be said with this word.
namespace untrusted {
/// Everybody who can reach the listener: on an abstract socket every local user, on TCP every host.
PeerPolicy anyone();
}  // namespace untrusted

/// Who may be on the other side, judged by the kernel's word (PeerIdentity) once a connection is
/// made, and before a byte of the peer is read. A server asks it about its clients, a channel that
/// expects somebody (ChannelOptions::expect_server()) about its server.
///
///     PeerPolicy::any_of({PeerPolicy::same_user_or_root(), PeerPolicy::group(operators)})
///
/// A value. Thread safety: as a std::string.
class PeerPolicy {
 public:
  /// The user of this process (effective uid), and what is its own (PeerIdentity::is_own()).
  static PeerPolicy same_user();
  static PeerPolicy root();
  /// Those two. The default on Unix sockets.
  static PeerPolicy same_user_or_root();
  /// One user, such as the one that a service runs as.
  static PeerPolicy user(uid_t user);
  /// The same by name, which is looked up now, and may take the system time (getpwnam(3)).
  /// NOT_FOUND: there is none of that name. UNAVAILABLE: the system cannot say.
  static Result<PeerPolicy> user(std::string_view name);
  /// The members of a group, by their gid or their supplementary groups. The owner of a socket is
  /// not among them unless a member: any_of() adds him.
  static PeerPolicy group(gid_t group);
  /// The same by name, as user(name).
  static Result<PeerPolicy> group(std::string_view name);
  /// Whoever the permissions of the socket's file let connect (ListenOptions::mode() and group(),
  /// and those of its folders). Only for listeners, on Unix sockets that have a path.
  static PeerPolicy by_file_mode();
  /// Whoever at least one of these admits; nobody, if there are none.
  static PeerPolicy any_of(std::initializer_list<PeerPolicy> policies);

  /// Whether this peer may be there. One without credentials may only where anyone may. An id of
  /// 65534 is nobody's where it may stand for any user outside our user namespace.
  bool admits(const PeerIdentity& peer) const;
  /// Why admits() says no to this peer, for logs: "uid 1001 is not admitted (same user or root)".
  std::string why_not(const PeerIdentity& peer) const;

  /// Whether it needs credentials: a listener that has none (abstract, TCP) refuses such a policy.
  bool needs_credentials() const noexcept { return (rules_ & anyone_rule) == 0; }
  /// Whether by_file_mode() is in it.
  bool needs_socket_file() const noexcept { return (rules_ & file_mode_rule) != 0; }
  /// Whether it can admit nobody but this process's user and root.
  bool is_private() const noexcept;
  /// The users that it admits by their ids, in order.
  std::span<const uid_t> users() const noexcept { return users_; }
  /// The groups that it admits, in order.
  std::span<const gid_t> groups() const noexcept { return groups_; }
  /// "same user or group 27", for logs and messages.
  std::string to_string() const;

  friend bool operator==(const PeerPolicy&, const PeerPolicy&) = default;

 private:
  static constexpr std::uint8_t same_user_rule = 1;
  static constexpr std::uint8_t root_rule = 2;
  static constexpr std::uint8_t file_mode_rule = 4;
  static constexpr std::uint8_t anyone_rule = 8;

  explicit PeerPolicy(std::uint8_t rules) : rules_(rules) {}
  friend PeerPolicy untrusted::anyone();
  bool has(std::uint8_t rule) const noexcept { return (rules_ & rule) != 0; }

  std::uint8_t rules_ = 0;
  std::vector<uid_t> users_;   // in order, each once
  std::vector<gid_t> groups_;  // in order, each once
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
