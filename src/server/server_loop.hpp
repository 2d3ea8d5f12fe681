// SPDX-License-Identifier: Apache-2.0
// ServerLoop: the connections that a server has on one event loop.
#pragma once

#include "async/gathering.hpp"
#include "async/loop_core.hpp"
#include "async/run_member.hpp"
#include "server/server_connection.hpp"
#include "server/server_shared.hpp"

#include <nearcall/server_view.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>

namespace nearcall::inline v0::detail {

using ServerGathering = Gathering<ServerReport, LookOptions>;
using ServerContribution = ServerGathering::Contribution;

/// The connections that a server has on one event loop, and their drain.
///
/// Thread safety: the loop's thread.
class ServerLoop final : public ServerConnection::Owner {
 public:
  /// `on_drained` is called once, on the loop, when a drain is complete.
  ServerLoop(ServerShared& shared, EventLoop& loop, UniqueFunction<void()> on_drained);
  ServerLoop(const ServerLoop&) = delete;
  ServerLoop& operator=(const ServerLoop&) = delete;
  ~ServerLoop();

  /// A connection that comes after that many others has the first of them give memory back that it
  /// has no use for between calls: of many that come at once, and then do nothing, only the last
  /// have it until they have been idle for a while, and the others have had it one after the other.
  static constexpr std::size_t most_latest = 64;

  /// Connections that it has, or expects. Any thread.
  std::size_t load() const noexcept { return load_.load(std::memory_order_relaxed); }
  /// Any thread: add() will follow.
  void expect_one() noexcept { load_.fetch_add(1, std::memory_order_relaxed); }
  /// REQUIRES: expect_one(), and no drain has begun.
  void add(std::unique_ptr<Transport> transport, ConnectionQuota::Place place);
  /// Ends every connection in good order, by force after the drain timeout.
  void begin_drain();
  /// Cancels the calls that a drain still waits for, now. REQUIRES: begin_drain().
  void cancel_calls();

  /// Adds its connections to a report.
  void report(const ServerContribution& to) const;

  EventLoop& loop() const noexcept { return *loop_; }
  LoopCore& core() const noexcept { return Access::core(*loop_); }
  void reap(ServerConnection& connection) override;

 private:
  enum class Drain : std::uint8_t { no, begun, forced, complete };

  static void on_drain_timer(void* self) noexcept;
  template <class F>
  void for_each_connection(F&& action);
  /// Destroys handlers that did not return after they were cancelled, but for those on other
  /// threads: for these it waits, and says so in the log.
  void destroy_stuck();
  void wait_for(std::string_view method);
  void destroy(ServerConnection* connection);
  void reap_now();
  void report_if_drained();

  ServerShared* shared_;
  EventLoop* loop_;
  UniqueFunction<void()> on_drained_;
  std::atomic<std::size_t> load_{0};
  /// Of connections that are gone.
  CallCounts past_calls_;
  IntrusiveList<ServerConnection> connections_;
  IntrusiveList<ServerConnection> done_;
  /// Those that came last, or null, as a ring.
  std::array<ServerConnection*, most_latest> latest_{};
  std::size_t oldest_of_latest_ = 0;
  Drain drain_ = Drain::no;
  Timer drain_timer_;
  TimePoint next_reminder_{};
  RunMember<&ServerLoop::reap_now> reaper_{*this};
};

}  // namespace nearcall::inline v0::detail
