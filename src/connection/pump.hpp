// SPDX-License-Identifier: Apache-2.0
// Pump: one transport and one HTTP/2 session; moves bytes between them and ends them.
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "connection/end_reason.hpp"
#include "connection/keep_alive.hpp"
#include "connection/stream_handler.hpp"
#include "http2/session.hpp"

#include <nearcall/transport.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {

/// The side of a connection that knows what its streams are for.
class PumpHandler {
 public:
  /// Every event but those of streams that have a StreamHandler, which go there.
  virtual void on_event(const http2::Event& event) = 0;
  /// The connection has ended; called once. Every stream is still there to be released.
  virtual void on_end(EndReason reason, std::string_view what) = 0;
  /// Nothing came for a while: what is only there to be faster may go.
  virtual void on_idle() noexcept {}

 protected:
  ~PumpHandler() = default;
};

/// One transport and one session: reads, feeds, dispatches, flushes; the only place that ends a
/// connection. Never waits; whoever drives it does.
///
/// Thread safety: none; the driver's.
class Pump {
 public:
  enum class Progress : std::uint8_t { some, none, ended };

  Pump(std::unique_ptr<Transport> transport,
       http2::Role role,
       const http2::SessionOptions& options,
       PumpHandler& handler,
       TimePoint now);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  ~Pump() = default;

  /// A driver with other connections calls it before it comes to this one: up to
  /// ConnectionLimits::max_new_streams_per_turn new streams are taken from now on, and what the
  /// peer sends may take WorkMeter::turn.
  void begin_turn() noexcept {
    new_streams_left_ = max_new_streams_;
    session_.begin_turn();
  }
  /// All of it was: read() does nothing until the next turn begins.
  bool is_turn_over() const noexcept { return session_.is_turn_over(); }
  /// What the reads since the last call took of a turn (TurnBudget).
  std::size_t take_work() noexcept;
  /// One read from the transport, unless something that an earlier one brought is still to be
  /// taken, and the events of that. `scratch` is where bytes go that no message waits for; what is
  /// in it afterwards is of no use.
  Progress read(MutableByteSpan scratch, TimePoint now);
  /// Whether the next read() goes into a message, and so must not be done without the driver's
  /// lock.
  bool reads_into_message();
  /// Whether the last read from the transport took all that there was, as far as is known: there is
  /// nothing to read before the transport's descriptor tells of more, or of the end of the stream.
  bool has_read_all() const noexcept { return has_read_all_ && !has_unread(); }
  /// Whether read() has something to do without a read from the transport.
  bool has_unread() const noexcept {
    return state_ != State::lingering && !session_.unread().empty();
  }
  /// The events of bytes that the driver read itself. REQUIRES: nothing is unread.
  Progress feed(const IoResult& result, ByteSpan bytes, TimePoint now);
  /// Writes what there is to write, up to `most` bytes; some: all is out, or as much as may be
  /// (has_output()), none: the transport takes no more now.
  Progress flush(TimePoint now, std::size_t most = std::numeric_limits<std::size_t>::max());
  /// Time-outs of the session.
  void on_time(TimePoint now);

  /// Gives memory back that an idle connection does not need.
  void trim() noexcept;

  bool is_write_blocked() const noexcept { return is_write_blocked_; }
  /// Whether the last flush() left something of what there was to write.
  bool has_rest() const noexcept { return has_rest_; }
  bool has_output() const noexcept { return state_ < State::lingering && session_.has_output(); }
  TimePoint next_deadline() const noexcept {
    if (state_ == State::lingering) return linger_until_;
    return std::min(session_.next_deadline(), keep_alive_.next_look(session_.stream_count() > 0));
  }

  /// From now on a peer that is silent is asked whether it is there, and else lost: when on_time()
  /// is called, which next_deadline() asks for.
  void keep_alive(const KeepAlive::Options& options, TimePoint now) noexcept {
    keep_alive_ = KeepAlive(options, now);
  }
  const KeepAlive& keep_alive() const noexcept { return keep_alive_; }
  /// How often the peer was asked.
  std::uint64_t keep_alives_sent() const noexcept { return keep_alives_sent_; }

  /// When all is over it does not end at once, but says so (Transport::shutdown_write()), and drops
  /// what the peer still sends until it closes, too (ConnectionLimits::linger_timeout): a peer that
  /// has not read all of it would be told of a failure instead, by TCP or by its own write.
  void linger_at_end() noexcept { lingers_at_end_ = true; }
  bool is_lingering() const noexcept { return state_ == State::lingering; }

  /// Ends the connection, the first time that it is called.
  void close(EndReason reason, std::string_view what);
  /// The same, and tells the peer why, as far as the transport takes it now.
  void close_with_goaway(EndReason reason,
                         http2::ErrorCode code,
                         std::string_view what,
                         TimePoint now);
  bool has_ended() const noexcept { return state_ == State::ended; }
  EndReason end_reason() const noexcept { return end_reason_; }
  /// How the peer broke HTTP/2 or a budget, or which time it let pass, if that was the reason.
  http2::ErrorCode violation() const noexcept { return violation_.code; }

  http2::Session& session() noexcept { return session_; }
  const http2::Session& session() const noexcept { return session_; }
  Transport& transport() noexcept { return *transport_; }
  const PeerIdentity& peer() const noexcept { return transport_->peer(); }

 private:
  /// open ──(our GOAWAY, which is no drain's)──► ending ──► ended
  ///   ├──(a write failed: the peer's last words are read)──► unwritable ──► ended
  ///   └──(all is over: the peer may read it)──► lingering ──► ended
  enum class State : std::uint8_t { open, ending, unwritable, lingering, ended };

  Progress read_away(MutableByteSpan scratch);
  Progress finish(TimePoint now);
  Progress read_direct(MutableByteSpan tail, StreamHandler& handler, TimePoint now);
  void dispatch_events(TimePoint now);
  void keep_unread(TimePoint now);
  void dispatch(const http2::Event& event);
  Progress after_input(TimePoint now);
  void close_after_write_failure(std::error_code error, TimePoint now);
  void look_whether_alive(TimePoint now);
  void ask_whether_alive(TimePoint now);

  PumpHandler* handler_;
  std::unique_ptr<Transport> transport_;
  http2::Session session_;
  const std::uint32_t max_new_streams_;
  std::uint32_t new_streams_left_ = max_new_streams_;
  std::size_t work_ = 0;
  http2::WorkMeter::Units session_work_ = 0;  // that take_work() has told of
  /// What was read in a turn that ended before all of it was taken.
  std::vector<std::byte> unread_;
  State state_ = State::open;
  EndReason end_reason_ = EndReason::none;
  bool has_read_all_ = false;
  bool is_write_blocked_ = false;
  bool has_rest_ = false;
  bool lingers_at_end_ = false;
  /// Of the lingering: when it is over, and how many bytes it may still drop.
  TimePoint linger_until_ = no_deadline;
  std::size_t linger_bytes_left_ = 0;
  /// When bytes came for the last time.
  TimePoint heard_at_;
  KeepAlive keep_alive_;
  /// Where our PING ends that waits behind other output, and how much was sent when that was looked
  /// at for the last time; 0: it went at once.
  std::uint64_t ping_end_ = 0;
  std::uint64_t sent_before_ = 0;
  std::uint64_t keep_alives_sent_ = 0;
  /// What the peer did wrong; GOAWAY has to go out before the connection ends.
  http2::ConnectionErrorEvent violation_{};
};

/// Bytes that one read takes at most, on a buffer that all connections of a thread share.
MutableByteSpan read_scratch();

}  // namespace nearcall::inline v0::detail
