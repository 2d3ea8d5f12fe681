// SPDX-License-Identifier: Apache-2.0
// Connecting before there is a call, on a thread that waits or on a loop.
#pragma once

#include "client/channel_core.hpp"

#include <nearcall/task.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// A connection for the next call, if there is none. Where the server cannot be reached it is tried
/// again, with pauses, until `patience` has passed.
Status connect_eagerly(Backend& backend, Duration patience);
/// The same on EventLoop::current(), for the calls of that loop.
Task<Status> connect_eagerly_on_loop(std::shared_ptr<ChannelCore> channel, Duration patience);

}  // namespace nearcall::inline v0::detail
