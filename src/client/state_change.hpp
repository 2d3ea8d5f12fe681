// SPDX-License-Identifier: Apache-2.0
// Waiting until a channel's server can be reached, or cannot any more.
#pragma once

#include "base/clock.hpp"
#include "client/channel_core.hpp"

#include <nearcall/connectivity_state.hpp>
#include <nearcall/task.hpp>

#include <memory>

namespace nearcall::inline v0::detail {

/// False if the state is still `from` at `until`.
bool wait_for_state_change(Backend& backend, ConnectivityState from, TimePoint until);
/// The same on EventLoop::current().
Task<bool> wait_for_state_change_on_loop(std::shared_ptr<ChannelCore> channel,
                                         ConnectivityState from,
                                         TimePoint until);

}  // namespace nearcall::inline v0::detail
