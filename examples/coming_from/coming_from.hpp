// SPDX-License-Identifier: Apache-2.0
// What the parts of this example have in common.
#pragma once

#include "services.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/server.hpp>
#include <nearcall/thread_pool.hpp>

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

namespace coming_from {

nearcall::ServerOptions server_options(nearcall::ThreadPool& pool);
nearcall::Result<void> listen(nearcall::Server& server, const std::string& target);

nearcall::ChannelOptions channel_options();
nearcall::Status show_several(const std::string& target);
nearcall::Status show_states(const std::string& target);

nearcall::Status show_blocking_calls(const nearcall::Channel& channel);
nearcall::Task<nearcall::Status> show_awaited_calls(nearcall::Channel channel);
nearcall::Status show_callbacks(const nearcall::Channel& channel);
nearcall::Status show_ends(const nearcall::Channel& channel);

}  // namespace coming_from
