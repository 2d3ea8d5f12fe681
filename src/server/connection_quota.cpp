// SPDX-License-Identifier: Apache-2.0
// Counting connections.
#include "server/connection_quota.hpp"

namespace nearcall::inline v0::detail {

std::optional<ConnectionQuota::Place> ConnectionQuota::take(uid_t uid) {
  const std::lock_guard lock(mutex_);
  if (count_ >= most_) return std::nullopt;
  std::size_t& mine = by_uid_[uid];
  if (mine >= most_per_uid_) return std::nullopt;
  ++mine;
  ++count_;
  return Place(*this, uid);
}

void ConnectionQuota::give_back(uid_t uid) noexcept {
  const std::lock_guard lock(mutex_);
  --count_;
  const auto mine = by_uid_.find(uid);
  if (--mine->second == 0) by_uid_.erase(mine);
}

}  // namespace nearcall::inline v0::detail
