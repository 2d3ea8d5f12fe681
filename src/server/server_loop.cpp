// SPDX-License-Identifier: Apache-2.0
// Connections come, drain and go.
#include "server/server_loop.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

constexpr const char* stops = "the server stops";
/// What handlers get to notice that they were cancelled, before they are destroyed.
constexpr auto last_patience = std::chrono::seconds(1);
/// How often the log says that the server waits for a handler that nothing can destroy.
constexpr auto between_reminders = std::chrono::seconds(10);

/// What it takes of a turn (TurnBudget) to free what a connection has.
constexpr std::size_t work_of_reaping = 4096;

}  // namespace

ServerLoop::ServerLoop(ServerShared& shared, EventLoop& loop, UniqueFunction<void()> on_drained)
    : shared_(&shared),
      loop_(&loop),
      on_drained_(std::move(on_drained)),
      drain_timer_(Access::core(loop), &ServerLoop::on_drain_timer, this) {
}

ServerLoop::~ServerLoop() {
  while (ServerConnection* const connection = connections_.pop_front())
    delete connection;
  while (ServerConnection* const connection = done_.pop_front())
    delete connection;
}

void ServerLoop::add(std::unique_ptr<Transport> transport, ConnectionQuota::Place place) {
  CHECK(drain_ == Drain::no && "ServerCore hands over before it drains");
  auto* const connection =
      new ServerConnection(*this, core(), *shared_, std::move(transport), std::move(place));
  connections_.push_back(*connection);
  ServerConnection*& oldest = latest_[oldest_of_latest_++ % most_latest];
  if (oldest != nullptr) oldest->trim();
  oldest = connection;
  connection->start();
}

template <class F>
void ServerLoop::for_each_connection(F&& action) {
  IntrusiveList<ServerConnection> visited;
  while (ServerConnection* const connection = connections_.pop_front()) {
    visited.push_back(*connection);
    action(*connection);
  }
  while (ServerConnection* const connection = visited.pop_front()) {
    connections_.push_back(*connection);
  }
}

void ServerLoop::begin_drain() {
  if (drain_ != Drain::no) return;
  drain_ = Drain::begun;
  drain_timer_.set(deadline_after(core().now(), shared_->options().drain_timeout()));
  for_each_connection([](ServerConnection& connection) { connection.begin_drain(stops); });
  report_if_drained();
}

void ServerLoop::cancel_calls() {
  if (drain_ != Drain::begun) return;
  drain_ = Drain::forced;
  drain_timer_.set(core().now() + last_patience);
  for_each_connection([](ServerConnection& connection) { connection.close(stops); });
}

void ServerLoop::on_drain_timer(void* self) noexcept {
  auto& loop = *static_cast<ServerLoop*>(self);
  if (loop.drain_ == Drain::begun) return loop.cancel_calls();
  loop.destroy_stuck();
}

void ServerLoop::destroy_stuck() {
  std::string_view elsewhere;
  IntrusiveList<ServerConnection> kept;
  bool is_told = false;
  while (ServerConnection* const connection = connections_.pop_front()) {
    const std::string_view method = connection->method_elsewhere();
    if (!method.empty()) {
      elsewhere = method;
      kept.push_back(*connection);
      continue;
    }
    if (!std::exchange(is_told, true)) {
      log(LogLevel::warning,
          "handlers that did not return after they were cancelled are destroyed");
    }
    destroy(connection);
  }
  while (ServerConnection* const connection = kept.pop_front())
    connections_.push_back(*connection);
  if (!elsewhere.empty()) wait_for(elsewhere);
  report_if_drained();
}

/// Looks again soon: handlers that are stuck here may be all that a connection has left then.
void ServerLoop::wait_for(std::string_view method) {
  const TimePoint now = core().now();
  if (now >= next_reminder_) {
    log(LogLevel::warning, method,
        ": the handler was cancelled and has not returned from its thread; the server waits for "
        "it");
    next_reminder_ = now + between_reminders;
  }
  drain_timer_.set(now + last_patience);
}

void ServerLoop::reap(ServerConnection& connection) {
  connection.ListHook::unlink();
  std::ranges::replace(latest_, &connection, nullptr);
  done_.push_back(connection);
  if (!reaper_.is_linked()) core().schedule(reaper_);
}

/// They are in the order of their numbers, as they came.
void ServerLoop::report(const ServerContribution& to) const {
  const LookOptions& options = to.options();
  CallCounts calls = past_calls_;
  std::vector<ConnectionReport> shown;
  bool has_more = false;
  connections_.for_each([&](const ServerConnection& connection) {
    add_counts(calls, connection.calls());
    if (connection.has_ended() || connection.number() < options.first_connection) return;
    if (shown.size() < options.max_connections) {
      shown.push_back(connection.report());
    } else {
      has_more = true;
    }
  });
  done_.for_each(
      [&](const ServerConnection& connection) { add_counts(calls, connection.calls()); });
  to.add([&](ServerReport& whole) {
    add_counts(whole.calls, calls);
    const bool are_all = merge_first(whole.connections, std::move(shown), options.max_connections);
    whole.has_more |= has_more || !are_all;
  });
}

void ServerLoop::destroy(ServerConnection* connection) {
  add_counts(past_calls_, connection->calls());
  delete connection;
  load_.fetch_sub(1, std::memory_order_relaxed);
}

/// As many as the turn has room for, and one at least.
void ServerLoop::reap_now() {
  while (ServerConnection* const connection = done_.pop_front()) {
    destroy(connection);
    core().budget().spend(work_of_reaping);
    if (core().budget().is_spent() && !done_.empty()) {
      if (!reaper_.is_linked()) core().schedule_next_turn(reaper_);
      return;
    }
  }
  report_if_drained();
}

void ServerLoop::report_if_drained() {
  if (drain_ == Drain::no || drain_ == Drain::complete) return;
  if (!connections_.empty() || !done_.empty()) return;
  drain_ = Drain::complete;
  drain_timer_.clear();
  on_drained_();
}

}  // namespace nearcall::inline v0::detail
