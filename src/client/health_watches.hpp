// SPDX-License-Identifier: Apache-2.0
// HealthWatches: what the health services of several servers say, as a client watches them.
#pragma once

#include "base/clock.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>
#include <nearcall/spawn.hpp>
#include <nearcall/task.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {

/// Watches, for each of several servers, whether a service of it can serve: gRFC A17, by
/// `/grpc.health.v1.Health/Watch` on a connection of its own. A server that does not know the
/// method is taken for one that serves.
///
/// No thread is behind it. Its calls are on a loop that whoever asks has take in what came, for a
/// moment (turn()); what servers say meanwhile lies in their sockets.
///
/// Thread safety: any thread.
class HealthWatches {
 public:
  enum class Health : std::uint8_t {
    unknown,  // it has not answered yet
    serving,
    not_serving,  // it says so, or cannot be asked
  };
  /// Is told of each change, from turn(): may not call this.
  using Listener = std::function<void(const std::string& target, Health health, const Status& why)>;

  /// `options`: of the channel whose backends they are.
  HealthWatches(std::string service, const ChannelOptions& options, Listener listener);
  HealthWatches(const HealthWatches&) = delete;
  HealthWatches& operator=(const HealthWatches&) = delete;

  /// These are watched from now on, and no others.
  void set_targets(const std::vector<std::string>& targets);
  /// Takes in what came; nothing if another thread does.
  void turn();

 private:
  static ChannelOptions options_of(const ChannelOptions& options);
  Task<void> watch(std::string target);
  Task<Status> watch_once(const Channel& channel, const std::string& target, bool& has_heard);

  const std::string service_;
  const ChannelOptions options_;
  const Listener listener_;
  std::mutex mutex_;
  std::map<std::string, JoinHandle<void>> watched_;
  /// Last: what it destroys refers to the others.
  EventLoop loop_{SpinPolicy::off()};
};

}  // namespace nearcall::inline v0::detail
