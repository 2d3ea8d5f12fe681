// SPDX-License-Identifier: Apache-2.0
// ChannelCore: what channels and clients share: which backend serves the next call.
#pragma once

#include "client/backend.hpp"
#include "client/invoker.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

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
  /// What calls go through.
  Invoker& invoker() const noexcept { return *invoker_; }
  /// From now on calls go through `outer`, which passes on to what was the invoker. REQUIRES: no
  /// call was made yet.
  void wrap(std::unique_ptr<Invoker> outer) {
    invoker_ = outer.get();
    wrappers_.push_back(std::move(outer));
  }
  /// The one that the next call goes to. Lives as long as this, and as long as calls on it.
  Backend& pick() const noexcept { return *backend_; }

 private:
  const std::shared_ptr<Backend> backend_;
  std::vector<std::unique_ptr<Invoker>> wrappers_;
  Invoker* invoker_ = &direct_invoker();
};

}  // namespace nearcall::inline v0::detail
