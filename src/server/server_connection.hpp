// SPDX-License-Identifier: Apache-2.0
// ServerConnection: one client's connection and its calls.
#pragma once

#include "async/intrusive_list.hpp"
#include "connection/loop_driver.hpp"
#include "connection/pump.hpp"
#include "server/connection_quota.hpp"
#include "server/request_reader.hpp"
#include "server/server_call.hpp"

#include <memory>
#include <stop_token>
#include <string_view>

namespace nearcall::inline v0::detail {

class ServerLoop;

/// One client's connection: turns its requests into calls, and lives until it has ended and all
/// their handlers have returned.
///
/// Thread safety: the loop's thread.
class ServerConnection final : public PumpHandler, public ListHook {
 public:
  ServerConnection(ServerLoop& loop,
                   std::unique_ptr<Transport> transport,
                   ConnectionQuota::Place place);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  /// Destroys handlers that still run.
  ~ServerConnection();

  void start() { driver_.start(); }
  /// Tells the client to go elsewhere; ends when the calls are over.
  void begin_drain();
  /// Answers every call with UNAVAILABLE, and ends.
  void cut_short();
  /// May be destroyed: it has ended, and no handler runs.
  bool is_done() const noexcept { return pump_.has_ended() && !has_calls(); }

  // For its calls.

  http2::Session& session() noexcept { return pump_.session(); }
  LoopCore& loop_core() const noexcept;
  const PeerIdentity& peer() const noexcept { return pump_.peer(); }
  std::stop_token server_stopping() const;
  void request_flush() {
    if (!pump_.has_ended()) driver_.request_flush();
    note_load();
  }
  /// Tells the server how much this connection holds, where that has changed by much.
  void note_load() {
    const std::size_t input = pump_.session().buffered_input() / load_unit;
    const std::size_t output = pump_.session().buffered_output() / load_unit;
    if (input != noted_input_ || output != noted_output_) [[unlikely]]
      report_load();
  }
  /// The handler of `call` begins when the output has room.
  void hold(ServerCall& call);
  /// A stream was reset: tells what the peer did wrong, if it did.
  void note_reset(const http2::ResetEvent& event);
  /// A call's answer was too large: tells what had to be left out of it.
  void log_left_out(std::string_view method, const char* what);
  /// `call` is over: its slot is free, and it goes once nothing on the stack can need it.
  void release(ServerCall& call);

  void on_event(const http2::Event& event) override;
  void on_end(EndReason reason, std::string_view what) override;
  void on_idle() noexcept override { requests_.trim(); }

 private:
  /// Deletes calls that are over, later in the turn.
  class Sweep final : public Runnable {
   public:
    explicit Sweep(ServerConnection& connection) noexcept : connection_(&connection) {}
    void run() noexcept override { connection_->sweep(); }

   private:
    ServerConnection* connection_;
  };

  /// Is asked to go, so that others have room.
  class GiveWay final : public Runnable {
   public:
    explicit GiveWay(ServerConnection& connection) noexcept : connection_(&connection) {}
    void run() noexcept override { connection_->give_way(); }

   private:
    ServerConnection* connection_;
  };

  static constexpr std::size_t load_unit = std::size_t{16} * 1024;

  enum class Drain : std::uint8_t { no, announced, told };

  static void on_drain_timer(void* self) noexcept;
  void on_request(const http2::HeadersEvent& event);
  /// The output has room again.
  void begin_held();
  void reject(http2::Stream& stream, const grpc::Rejection& rejection);
  void finish_drain();
  void sweep() noexcept;
  void report_load() noexcept;
  void give_way();
  bool has_calls() const noexcept { return !calls_.empty() || !held_.empty(); }
  /// Deletes this one later, if it may.
  void leave_if_done();

  ServerLoop* loop_;
  ConnectionQuota::Place place_;
  GiveWay give_way_{*this};
  std::size_t noted_input_ = 0;  // in units
  std::size_t noted_output_ = 0;
  RequestReader requests_;
  Pump pump_;
  LoopDriver driver_;
  IntrusiveList<ServerCall> calls_;
  IntrusiveList<ServerCall> held_;  // whose requests are here, and which wait for room
  IntrusiveList<ServerCall> over_;
  Sweep sweep_{*this};
  Drain drain_ = Drain::no;
  bool hold_told_ = false;
  Timer drain_timer_;
};

}  // namespace nearcall::inline v0::detail
