// SPDX-License-Identifier: Apache-2.0
// ServerAnchor: how others find a server that may be gone.
#pragma once

#include <nearcall/access.hpp>

#include <mutex>

namespace nearcall::inline v0::detail {

/// Where a server is, for as long as it is there. Thread safety: any thread.
class ServerAnchor {
 public:
  explicit ServerAnchor(ServerCore& server) noexcept : server_(&server) {}

  /// use(ServerCore&), which must not wait, unless it is gone: false. It does not go meanwhile.
  template <class Use>
  bool use(Use&& use) {
    const std::lock_guard lock(mutex_);
    if (server_ == nullptr) return false;
    use(*server_);
    return true;
  }
  /// The server goes.
  void cut() noexcept {
    const std::lock_guard lock(mutex_);
    server_ = nullptr;
  }

 private:
  std::mutex mutex_;
  ServerCore* server_;
};

}  // namespace nearcall::inline v0::detail
