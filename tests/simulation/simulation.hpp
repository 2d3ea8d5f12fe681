// SPDX-License-Identifier: Apache-2.0
// Simulation: a server, a channel and calls on one loop, with links that fail and time that jumps.
#pragma once

#include "simulation/choices.hpp"
#include "simulation/service.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/queue_listener.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client.hpp>
#include <nearcall/server.hpp>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace nearcall::test {

/// A whole server and a whole client in memory. Each step is a choice: a call begins or is
/// cancelled, some bytes arrive, a link is cut, connecting fails or drags on, time passes, the loop
/// turns. After each step what must always hold is looked at; in the end everything is let through,
/// and each call has to come to its end.
///
/// What must hold, whatever is chosen:
///  (1) A status is one that its call can have: CANCELLED only if the test cancelled it,
///      DEADLINE_EXCEEDED only behind its deadline, UNAVAILABLE only after something failed.
///  (2) Messages come in order, whole and unchanged; all of them if the status is OK.
///  (3) No handler runs twice for one call, and one ran for each that ended OK.
///  (4) Memory stays below a bound.
///  (5) When nothing fails any more each call ends, each handler returns, and the server stops.
class Simulation : private ManualLoop {
 public:
  explicit Simulation(Choices& choices);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  /// One choice. Complaints are gtest failures.
  void step();
  /// Lets everything through, and waits for all that was begun.
  void finish();
  /// For how many calls an outcome was seen; a simulation in which nothing happens shows nothing.
  std::size_t calls_ended() const noexcept { return ended_; }
  std::size_t calls_ok() const noexcept { return ok_; }

 private:
  struct Call {
    Wish wish;
    std::uint32_t requests = 1;
    std::optional<detail::TimePoint> deadline;
    std::stop_source cancel;
    bool is_over = false;
  };

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context);
  void begin_call();
  void cancel_a_call();
  void deliver_some();
  void deliver_all();
  void cut_a_link();
  void pass_time(detail::Duration duration);
  void look();

  CallOptions options_of(const Call& call) const;
  Task<void> call_unary(Call& call);
  Task<void> call_expand(Call& call);
  Task<void> call_collect(Call& call);
  Task<void> call_chat(Call& call);
  /// Notes the outcome, and complains if the call cannot have it.
  void end(Call& call, const Status& status);

  Choices& choices_;
  LogCapture log_;
  SimulatedService service_;
  std::optional<Server> server_;
  std::shared_ptr<ConnectionQueue> queue_ = std::make_shared<ConnectionQueue>();
  std::vector<std::shared_ptr<Link>> links_;
  std::optional<Channel> channel_;
  std::optional<ClientStub> stub_;
  std::list<Call> calls_;
  std::uint32_t next_call_ = 0;
  std::size_t ended_ = 0;
  std::size_t ok_ = 0;
  /// Something was done after which a call may be UNAVAILABLE.
  bool has_failed_ = false;
  bool is_healed_ = false;
  std::size_t memory_before_ = 0;
};

}  // namespace nearcall::test
