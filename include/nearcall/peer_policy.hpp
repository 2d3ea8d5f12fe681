// SPDX-License-Identifier: Apache-2.0
// PeerPolicy: who may connect to a listener.
#pragma once

#include <nearcall/peer.hpp>

#include <cstdint>

namespace nearcall {

class PeerPolicy;

/// What opens a server to peers that nobody vouches for has to be said with this word.
namespace untrusted {
/// Everybody who can reach the listener: on an abstract socket every local user, on TCP every host.
PeerPolicy anyone() noexcept;
}  // namespace untrusted

/// Who may connect, judged by the kernel's word at accept; whoever may not is closed before a byte
/// is read.
///
/// A value. Thread safety: as an int.
class PeerPolicy {
 public:
  /// The user of this process (effective uid) and root. The default on Unix sockets.
  static PeerPolicy same_user_or_root() noexcept { return PeerPolicy(Kind::same_user_or_root); }

  /// Whether a peer may connect. One without credentials may only where anyone may.
  bool admits(const PeerIdentity& peer) const noexcept;
  /// Whether it needs credentials: a listener that has none (abstract, TCP) refuses such a policy.
  bool needs_credentials() const noexcept { return kind_ != Kind::anyone; }

  friend bool operator==(const PeerPolicy&, const PeerPolicy&) = default;

 private:
  enum class Kind : std::uint8_t { same_user_or_root, anyone };
  explicit PeerPolicy(Kind kind) noexcept : kind_(kind) {}
  friend PeerPolicy untrusted::anyone() noexcept;

  Kind kind_;
};

}  // namespace nearcall
