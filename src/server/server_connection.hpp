// SPDX-License-Identifier: Apache-2.0
// ServerConnection: one client's connection and its calls.
#pragma once

#include "async/intrusive_list.hpp"
#include "async/run_member.hpp"
#include "connection/loop_driver.hpp"
#include "connection/pump.hpp"
#include "server/call_host.hpp"
#include "server/connection_age.hpp"
#include "server/connection_quota.hpp"
#include "server/request_reader.hpp"
#include "server/server_call.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>

namespace nearcall::inline v0::detail {

/// One client's connection: turns its requests into calls, and lives until it has ended and all
/// their handlers have returned.
///
/// Thread safety: the loop's thread.
class ServerConnection final : public PumpHandler, public CallHost, public ListHook {
 public:
  class Owner {
   public:
    /// Deletes a connection that is done, soon.
    virtual void reap(ServerConnection& connection) = 0;

   protected:
    ~Owner() = default;
  };

  ServerConnection(Owner& owner,
                   LoopCore& core,
                   ServerShared& shared,
                   std::unique_ptr<Transport> transport,
                   ConnectionQuota::Place place);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  /// Destroys handlers that still run.
  ~ServerConnection();

  void start() { driver_.start(); }
  /// Gives memory back that it has no use for between calls, if it has none, and nothing to send.
  void trim() noexcept {
    if (!has_calls() && over_.empty() && !pump_.has_output()) driver_.trim();
  }
  /// Tells the client to go elsewhere, and why (a literal); ends when the calls are over.
  void begin_drain(const char* why);
  /// Answers every call with UNAVAILABLE, for this reason, and ends.
  void close(std::string_view why);
  /// May be destroyed: it has ended, and no handler runs.
  bool is_done() const noexcept { return pump_.has_ended() && !has_calls(); }

  CallCounts calls() const noexcept { return tally().calls(pump_); }
  ConnectionReport report() const { return tally().report(pump_); }
  bool has_ended() const noexcept { return pump_.has_ended(); }
  /// Its number among the server's.
  std::uint64_t number() const noexcept { return tally().number(); }

  /// The method of a handler that is on another thread, so that the destructor would wait for it;
  /// empty: none is.
  std::string_view method_elsewhere() noexcept;

  void hold(ServerCall& call, Room lacking) override;
  void release(ServerCall& call) override;

  void on_event(const http2::Event& event) override;
  void on_end(EndReason reason, std::string_view what) override;
  void on_idle() noexcept override { requests_.trim(); }

 private:
  /// Deletes calls that are over, later in the turn.
  class Sweep final : public TurnEndHook {
   public:
    explicit Sweep(ServerConnection& connection) noexcept : connection_(&connection) {}
    void on_turn_end() override { connection_->sweep(); }

   private:
    ServerConnection* connection_;
  };

  enum class Drain : std::uint8_t { no, announced, told };

  /// What a connection has whose age, or whose idle time, is limited.
  struct Aging {
    Aging(ServerConnection& connection, const ConnectionAge::Options& options);

    ConnectionAge age;
    TimePoint idle_since;
    Timer timer;
  };

  /// Calls whose requests are here, and whose handlers lack the same room.
  struct HeldCalls {
    IntrusiveList<ServerCall> calls;
    bool is_told = false;
  };

  static void on_drain_timer(void* self) noexcept;
  static void on_age_timer(void* self) noexcept;
  void look_at_age();
  void on_request(const http2::HeadersEvent& event);
  /// Of those that are held: the first that may begin now.
  ServerCall* next_to_begin() noexcept;
  void begin_held();
  /// No request is held any more: the peer may send large ones again.
  void release_input();
  void on_room_for_requests() noexcept override;
  void reject(http2::Stream& stream, const grpc::Rejection& rejection);
  void finish_drain(bool is_heard);
  void sweep() noexcept;
  ConnectionQuota::Place& place() noexcept override { return place_; }
  void give_way();
  IntrusiveList<ServerCall>& held(Room lacking) noexcept {
    return held_[static_cast<std::size_t>(lacking)].calls;
  }
  std::array<IntrusiveList<ServerCall>*, 3> all_calls() noexcept {
    return {&held(Room::in_output), &held(Room::for_requests), &calls_};
  }
  bool has_calls() const noexcept {
    return !calls_.empty() || !held_[0].calls.empty() || !held_[1].calls.empty();
  }
  /// Deletes this one later, if it may.
  void leave_if_done();

  Owner* owner_;
  ConnectionQuota::Place place_;
  /// Is run when others need its place, or its memory.
  RunMember<&ServerConnection::give_way> give_way_{*this};
  RequestReader requests_;
  Pump pump_;
  LoopDriver driver_;
  IntrusiveList<ServerCall> calls_;
  std::array<HeldCalls, 2> held_;  // by Room
  IntrusiveList<ServerCall> over_;
  Sweep sweep_{*this};
  Drain drain_ = Drain::no;
  const char* drain_reason_ = "";
  RunMember<&ServerConnection::begin_held> begin_on_{*this};
  Timer drain_timer_;
  std::unique_ptr<Aging> aging_;
};

}  // namespace nearcall::inline v0::detail
