// SPDX-License-Identifier: Apache-2.0
// Simulation: servers, channels and calls on one loop, with links that fail and time that jumps.
#pragma once

#include "simulation/choices.hpp"
#include "simulation/service.hpp"
#include "support/link.hpp"
#include "support/log_capture.hpp"
#include "support/manual_loop.hpp"
#include "support/queue_listener.hpp"

#include <nearcall/channel.hpp>
#include <nearcall/client_stub.hpp>
#include <nearcall/observer.hpp>
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

/// Whole servers, one after the other, and whole clients in memory. Each step is a choice: a call
/// begins or is cancelled, some bytes arrive, a link is cut, connecting fails, drags on or is
/// refused by policy or for want of a place, an idle connection is evicted, the server stops and
/// another one begins, time passes, the loop turns. After each step what must always hold is looked
/// at; in the end everything is let through, and each call has to come to its end.
///
/// All is on one thread, so that a seed repeats it to the last step. A blocking call would have to
/// be on another one: blocking clients are in none.
///
/// What must hold, whatever is chosen:
///  (1) A status is one that its call can have: CANCELLED only if the test cancelled it,
///      DEADLINE_EXCEEDED only behind its deadline, PERMISSION_DENIED only after a policy refused a
///      connection of its client, UNAVAILABLE only after something failed there. A server that
///      stops has not failed, nor has one that gives a place to somebody else, unless a call meets
///      that twice. Once a later call has ended well, what was before counts no more for those that
///      begin then.
///  (2) Messages come in order, whole and unchanged; all of them if the status is OK.
///  (3) No handler runs twice for one call, and one ran for each that ended OK.
///  (4) Memory stays below a bound.
///  (5) When nothing fails any more each call ends, each handler returns, and the servers stop.
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

  /// What was seen: a simulation in which nothing happens shows nothing.
  struct Seen {
    std::size_t calls = 0;  // that ended
    std::size_t ok = 0;
    std::size_t refused_by_policy = 0;
    std::size_t evictions = 0;  // a line of the log each, which is at most one a second
    std::size_t servers = 0;
  };
  const Seen& seen() const noexcept { return seen_; }

 private:
  /// A server, and the connections on their way to it.
  struct Host {
    Host(EventLoop& loop, ServerOptions options) : server(loop, std::move(options)) {}

    std::shared_ptr<ConnectionQueue> queue = std::make_shared<ConnectionQueue>();
    Server server;
    /// When its drain is over, whether its calls are or not.
    detail::TimePoint cancels_at = detail::no_deadline;
  };
  /// Counts calls that were opened once more.
  class Repeats final : public Observer {
   public:
    std::size_t count() const noexcept { return count_; }
    void on_attempt_ended(const Call& /*call*/,
                          const Attempt& /*attempt*/,
                          const Status& /*how*/,
                          AttemptEnd then) noexcept override {
      if (then == AttemptEnd::repeated) ++count_;
    }

   private:
    std::size_t count_ = 0;
  };
  /// A channel, and what happened to it: numbers of events, which only grow.
  struct Client {
    explicit Client(Simulation& simulation);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() = default;

    std::uint64_t failed_at = 0;   // that a call may be UNAVAILABLE for
    std::uint64_t refused_at = 0;  // by policy
    /// A call that began after both ended well: for calls that begin now they are over.
    std::uint64_t well_since = 0;
    std::shared_ptr<Repeats> repeats = std::make_shared<Repeats>();
    Channel channel;
    ClientStub stub;
  };
  /// A link, and whose it is.
  struct Connection {
    std::shared_ptr<Link> link;
    Client* client = nullptr;
  };
  struct Call {
    Client* client = nullptr;
    std::uint64_t began_at = 0;
    /// Of events before this one it knows nothing.
    std::uint64_t well_since = 0;
    std::size_t repeats_before = 0;  // of its client's calls
    Wish wish;
    std::uint32_t requests = 1;
    std::optional<detail::TimePoint> deadline;
    std::stop_source cancel;
    bool is_streamed = false;  // its requests are
    bool is_over = false;
  };

  Task<Result<std::unique_ptr<Transport>>> connect(ConnectContext context, Client& client);
  /// Something happens after which a call of that client, or of any, may be UNAVAILABLE.
  void fail(Client& client) noexcept { client.failed_at = ++events_; }
  void fail_all() noexcept;
  /// The client's end of a connection to the newest server.
  std::unique_ptr<Transport> make_link(Client& client);
  void start_server();
  /// The server stops, and another one begins.
  void restart_server();
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
  const std::size_t max_connections_;  // of a server
  const bool has_strangers_;
  std::list<Host> hosts_;  // all but the last one stop
  std::vector<Connection> connections_;
  std::list<Client> clients_;
  std::list<Call> calls_;
  std::uint32_t next_call_ = 0;
  Seen seen_;
  std::uint64_t events_ = 0;
  bool is_healed_ = false;
  std::size_t memory_before_ = 0;
};

}  // namespace nearcall::test
