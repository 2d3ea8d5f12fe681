// SPDX-License-Identifier: Apache-2.0
// ChannelCore: what channels and clients share: which backend serves the next call.
#pragma once

#include "client/backend.hpp"

#include <memory>
#include <string>
#include <utility>

namespace nearcall::inline v0::detail {

/// What the handles of a channel and its clients share. When the last of them goes, its backends
/// close what no call uses any more.
///
/// It has one backend; a channel with several targets picks among them here.
///
/// Thread safety: any thread.
class ChannelCore {
 public:
  ChannelCore(std::string target, ChannelOptions options)
      : backend_(std::make_shared<Backend>(std::move(target), std::move(options))) {}
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;
  ~ChannelCore() { backend_->retire(); }

  void close_idle() { backend_->close_idle(); }
  /// The one that the next call goes to. Lives as long as this, and as long as calls on it.
  Backend& pick() const noexcept { return *backend_; }

 private:
  const std::shared_ptr<Backend> backend_;
};

}  // namespace nearcall::inline v0::detail
