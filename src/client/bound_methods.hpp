// SPDX-License-Identifier: Apache-2.0
// BoundMethods: the methods of a service on one channel, with the headers that their calls share.
#pragma once

#include "client/channel_core.hpp"

#include <nearcall/method.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace nearcall::inline v0::detail {

/// The methods of a service on one channel. Immutable; shared by the copies of a stub.
class BoundMethods {
 public:
  BoundMethods(std::shared_ptr<ChannelCore> channel, std::span<const Method> methods)
      : channel_(std::move(channel)), methods_(channel_->pick().bind(methods)) {}

  ChannelCore& channel() const noexcept { return *channel_; }
  Backend& backend() const noexcept { return channel_->pick(); }
  /// Lives as long as the backend.
  const BoundMethod& operator[](std::size_t index) const noexcept { return methods_[index]; }

 private:
  std::shared_ptr<ChannelCore> channel_;
  std::span<const BoundMethod> methods_;
};

}  // namespace nearcall::inline v0::detail
