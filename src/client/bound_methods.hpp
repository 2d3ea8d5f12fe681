// SPDX-License-Identifier: Apache-2.0
// BoundMethods: the methods of a service on one channel, with the headers that their calls share.
#pragma once

#include "http2/header_template.hpp"

#include <nearcall/method.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace nearcall::detail {

class ChannelCore;

/// One method on one channel.
struct BoundMethod {
  Method method;
  http2::HeaderTemplate head;
};

/// The methods of a service on one channel. Immutable; shared by the copies of a stub.
class BoundMethods {
 public:
  BoundMethods(std::shared_ptr<ChannelCore> channel, std::span<const Method> methods);

  ChannelCore& channel() const noexcept { return *channel_; }
  const std::shared_ptr<ChannelCore>& shared_channel() const noexcept { return channel_; }
  const BoundMethod& operator[](std::size_t index) const noexcept { return methods_[index]; }

 private:
  std::shared_ptr<ChannelCore> channel_;
  std::vector<BoundMethod> methods_;
};

}  // namespace nearcall::detail
