// SPDX-License-Identifier: Apache-2.0
// ChannelCore: what is behind a channel: where it leads, and its connections.
#pragma once

#include "base/clock.hpp"
#include "client/blocking_connection.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/event_loop.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace nearcall::detail {

class LoopConnection;

/// Where a channel leads, and its connections: a pool for blocking calls, one for each loop.
///
/// A connection of the pool has one user at a time, until max_connections() are in use; from then
/// on they are shared. Idle ones beyond four, or unused for 30 s, are closed when one is put back.
///
/// Thread safety: any thread.
class ChannelCore {
 public:
  ChannelCore(std::string target, ChannelOptions options);
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;
  ~ChannelCore();

  const std::string& target() const noexcept { return target_; }
  const ChannelOptions& options() const noexcept { return options_; }
  /// What is wrong with the target, or OK.
  const Status& misuse() const noexcept { return misuse_; }
  Connector& connector() const noexcept { return *connector_; }
  /// The earlier one of the deadline and the connect timeout.
  TimePoint connect_deadline(TimePoint deadline) const;

  /// A connection for one blocking call.
  Result<std::shared_ptr<BlockingConnection>> acquire(TimePoint deadline, std::stop_token stop);
  void put_back(std::shared_ptr<BlockingConnection> connection);

  /// The connection of `loop`, which is the current one.
  std::shared_ptr<LoopConnection> on_loop(EventLoop& loop);

 private:
  struct Pooled {
    std::shared_ptr<BlockingConnection> connection;
    std::size_t users = 0;
    TimePoint idle_since{};
  };

  std::shared_ptr<BlockingConnection> take_idle();
  std::shared_ptr<BlockingConnection> share();
  void forget(const BlockingConnection& connection);
  Result<std::unique_ptr<Connection>> connect(TimePoint deadline, const std::stop_token& stop);

  const std::string target_;
  const ChannelOptions options_;
  Status misuse_;
  std::shared_ptr<Connector> connector_;

  std::mutex mutex_;
  std::vector<Pooled> pool_;
  /// Connections that are being made: they count.
  std::size_t connecting_ = 0;
  std::unordered_map<EventLoop*, std::shared_ptr<LoopConnection>> by_loop_;
};

}  // namespace nearcall::detail
