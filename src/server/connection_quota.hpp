// SPDX-License-Identifier: Apache-2.0
// ConnectionQuota: how many connections a server has, in all and for each user.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace nearcall::inline v0::detail {

/// Counts connections against two limits. Thread safety: any thread.
class ConnectionQuota {
 public:
  /// One connection's place; gives it back when it goes.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&& other) noexcept
        : quota_(std::exchange(other.quota_, nullptr)), uid_(other.uid_) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(quota_, other.quota_);
      std::swap(uid_, other.uid_);
      return *this;
    }
    ~Place() {
      if (quota_ != nullptr) quota_->give_back(uid_);
    }

   private:
    friend ConnectionQuota;
    Place(ConnectionQuota& quota, uid_t uid) noexcept : quota_(&quota), uid_(uid) {}

    ConnectionQuota* quota_ = nullptr;
    uid_t uid_ = 0;
  };

  ConnectionQuota(std::size_t most, std::size_t most_per_uid) noexcept
      : most_(most), most_per_uid_(most_per_uid) {}

  /// A place, or nothing when a limit is reached. Peers without credentials share one uid.
  std::optional<Place> take(uid_t uid);

 private:
  void give_back(uid_t uid) noexcept;

  const std::size_t most_;
  const std::size_t most_per_uid_;
  std::mutex mutex_;
  std::size_t count_ = 0;
  std::unordered_map<uid_t, std::size_t> by_uid_;
};

}  // namespace nearcall::inline v0::detail
