// SPDX-License-Identifier: Apache-2.0
// CallHost: what a server's call needs of the connection that it came over.
#pragma once

#include "connection/connection_tally.hpp"
#include "connection/loop_driver.hpp"
#include "connection/message_stream.hpp"
#include "connection/pump.hpp"
#include "connection/session_commands.hpp"
#include "server/server_shared.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nearcall::inline v0::detail {

class ServerCall;

/// A connection, as its calls know it. Holds references only, so that what each call does costs no
/// virtual call.
///
/// Thread safety: the loop's thread.
class CallHost {
 public:
  /// What an open call costs, beside what came over it: itself, its stream, and the frame of a
  /// small handler.
  static constexpr std::size_t cost_of_a_call = 1664;

  CallHost(const CallHost&) = delete;
  CallHost& operator=(const CallHost&) = delete;

  const http2::Session& session() const noexcept { return pump_->session(); }
  SessionCommands<CallHost> commands() noexcept { return {*this, pump_->session()}; }
  LoopCore& loop_core() const noexcept { return driver_->core(); }
  ServerShared& shared() const noexcept { return *shared_; }
  const PeerIdentity& peer() const noexcept { return pump_->peer(); }
  TurnQueue& turn_queue() noexcept { return driver_->turn_queue(); }
  /// As observers know it.
  std::uint64_t id() const noexcept { return observed_.id; }

  /// The session has output, to be flushed when the turn ends.
  void on_output() {
    if (!pump_->has_ended()) driver_->request_flush();
  }
  void attach(MessageStream& messages, http2::Stream& stream) {
    messages.attach(pump_->session(), stream, &loop_core());
  }
  // What else changes the session, and puts nothing out.

  http2::DataEvent data_behind(http2::Stream& stream) {
    return pump_->session().data_behind(stream);
  }
  void end_turn() noexcept { pump_->session().end_turn(); }
  bool has_room_for_calls() noexcept { return pump_->session().has_room_for_calls(); }
  bool may_make_message(http2::Stream& stream) noexcept {
    return pump_->session().may_make_message(stream);
  }
  /// Tells the server how much the connection holds, where that has changed by much.
  void note_load() {
    const std::uint32_t input = in_units(input_size());
    const std::uint32_t output = in_units(session().buffered_output());
    if (input != noted_input_ || output != noted_output_) [[unlikely]]
      report_load();
  }
  /// What a handler has of a message is `after` bytes now, and was `before`.
  void note_held_message(std::size_t before, std::size_t after) {
    held_messages_ += after - before;
    if ((before | after) >= load_unit) [[unlikely]]
      note_load();
  }
  /// The same of the request of a unary call.
  void note_held_request(std::size_t before, std::size_t after) {
    held_requests_ += after - before;
    note_held_message(before, after);
    if (session().is_input_held() && has_room_for_requests()) [[unlikely]]
      on_room_for_requests();
  }
  /// Whether handlers may have more of large requests.
  bool has_room_for_requests() const noexcept {
    return held_requests_ < session().limits().max_held_requests;
  }
  /// Whether a unary call's handler may have its request, of `size` bytes.
  bool may_take_request(std::size_t size) const noexcept {
    return size < large_request || has_room_for_requests();
  }
  /// Logs what the peer did wrong.
  void log_fault(std::string_view what) {
    shared_->log_peer_fault(peer(), what, loop_core().now());
  }
  /// A stream was reset: tells what the peer did wrong, if it did.
  void note_reset(const http2::ResetEvent& event);
  /// A call's answer was too large: tells what had to be left out of it.
  void log_left_out(std::string_view method, const char* what);

  /// A call is answered with another status than OK.
  void note_failed_answer() noexcept { tally_.note_failed_answer(); }

  /// What a handler may lack before it begins.
  enum class Room : std::uint8_t {
    in_output,    // has_room_for_calls()
    for_requests  // may_take_request(); meanwhile the session holds the peer's input
  };

  /// The handler of `call` begins when there is such room.
  virtual void hold(ServerCall& call, Room lacking) = 0;
  /// `call` is over: its slot is free, and it goes once nothing on the stack can need it.
  virtual void release(ServerCall& call) = 0;

 protected:
  /// The pump and the driver need not be made yet.
  CallHost(ServerShared& shared, Pump& pump, LoopDriver& driver) noexcept
      : shared_(&shared), pump_(&pump), driver_(&driver), tally_(shared.next_connection()) {}
  ~CallHost() = default;

  const ConnectionTally& tally() const noexcept { return tally_; }
  ConnectionTally& tally() noexcept { return tally_; }
  void report_load() noexcept;
  /// The connection's share of what the server may have.
  virtual ConnectionQuota::Place& place() noexcept = 0;
  /// has_room_for_requests() is true, and calls may have been held for that.
  virtual void on_room_for_requests() noexcept = 0;

 private:
  /// How much is much.
  static constexpr std::size_t load_unit = std::size_t{16} * 1024;

  /// Smaller ones never wait: there are as many at most as calls.
  static constexpr std::size_t large_request = std::size_t{64} * 1024;

  static std::uint32_t in_units(std::size_t bytes) noexcept {
    return static_cast<std::uint32_t>(bytes / load_unit);
  }

  /// What the peer makes us keep: bytes that nobody has read, messages that handlers have,
  /// metadata, and open calls.
  std::size_t input_size() const noexcept {
    return session().buffered_input() + held_messages_ + session().kept_headers() +
           session().stream_count() * cost_of_a_call;
  }

  ServerShared* shared_;
  Pump* pump_;
  LoopDriver* driver_;
  /// What handlers have of messages that were parsed.
  std::size_t held_messages_ = 0;
  std::size_t held_requests_ = 0;  // of these, those of unary calls
  std::uint32_t noted_input_ = 0;  // in units
  std::uint32_t noted_output_ = 0;
  ConnectionTally tally_;

 protected:
  ObservedConnection observed_;
};

}  // namespace nearcall::inline v0::detail
