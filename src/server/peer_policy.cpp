// SPDX-License-Identifier: Apache-2.0
// Who may connect.
#include <nearcall/peer_policy.hpp>

#include <unistd.h>

namespace nearcall {

bool PeerPolicy::admits(const PeerIdentity& peer) const noexcept {
  constexpr uid_t overflow_uid = 65534;  // how users of other namespaces look: nobody in particular
  switch (kind_) {
    case Kind::anyone:
      return true;
    case Kind::same_user_or_root:
      if (!peer.has_credentials()) return false;
      if (peer.uid() == 0) return true;
      return peer.uid() == ::geteuid() && peer.uid() != overflow_uid;
  }
  return false;
}

PeerPolicy untrusted::anyone() noexcept {
  return PeerPolicy(PeerPolicy::Kind::anyone);
}

}  // namespace nearcall
