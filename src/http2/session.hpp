// SPDX-License-Identifier: Apache-2.0
// Session: one HTTP/2 connection, either role. Bytes in, events out; commands in, bytes out.
#pragma once

#include "base/clock.hpp"
#include "base/owned_bytes.hpp"
#include "http2/abuse_budget.hpp"
#include "http2/event.hpp"
#include "http2/frame_reader.hpp"
#include "http2/frame_rules.hpp"
#include "http2/header_block_input.hpp"
#include "http2/header_rules.hpp"
#include "http2/header_template.hpp"
#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"
#include "http2/inbound_window.hpp"
#include "http2/output_queue.hpp"
#include "http2/send_scheduler.hpp"
#include "http2/session_options.hpp"
#include "http2/settings_exchange.hpp"
#include "http2/shutdown.hpp"
#include "http2/stream_ids.hpp"
#include "http2/stream_table.hpp"
#include "http2/work_meter.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// What a session has seen and how full its budgets are: for tests, and what channelz tells (#11).
struct SessionStats {
  std::uint64_t streams_opened = 0;
  /// Reset before the server's END_STREAM; those that a broken session had do not count.
  std::uint64_t streams_failed = 0;
  std::uint64_t resets_received = 0;
  std::uint64_t resets_sent = 0;
  std::uint64_t requests_refused = 0;  // resets sent for requests that became no stream
  std::uint32_t resets_outstanding = 0;
  std::uint32_t refusals_left = 0;
  std::uint32_t empty_data = 0;
  std::uint32_t overhead_frames = 0;
  std::uint32_t induced_frames = 0;
  std::size_t buffered_input = 0;
  std::size_t buffered_output = 0;
  std::size_t buffered_headers = 0;
  bool is_rationing = false;     // InboundWindow: under memory pressure
  std::int64_t send_window = 0;  // of the connection, as is the other one
  std::int64_t receive_window = 0;
};

/// One HTTP/2 connection (RFC 9113, prior knowledge) without I/O, threads or clocks.
///
/// The owner's turn: receive() bytes, next_event() until NoEvent; then, while has_output(), write
/// what output() shows and say so with output_sent(). Commands may be given at any time, also while
/// handling an event. On a stream that is closed and on a broken session they do nothing: the peer
/// may always have been faster. Each stream is the owner's until release().
///
/// A request or an answer that is one small message goes the short way, several frames at a time:
/// open_whole(), reserve_whole(), data_behind(). They say no, and the frames go one by one,
/// wherever anything is unusual; who adds something to either way looks whether it belongs to both.
///
/// Thread safety: none; one driver at a time.
class Session {
 public:
  /// What the server's preface is answered with waits for it: a peer that does not speak HTTP/2
  /// gets no byte.
  Session(Role role, const SessionOptions& options, TimePoint now);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // ---- bytes in --------------------------------------------------------------------------------
  /// Hands over bytes that arrived; they stay valid until next_event() has answered NoEvent. What
  /// is left of an unfinished frame is kept inside (a frame header, or a payload under its limits).
  void receive(ByteSpan bytes, TimePoint now);
  /// What next_event() has not come to. An owner that stops asking before that may move these
  /// bytes, and gives them to receive() again.
  ByteSpan unread() const noexcept { return reader_.unread(); }
  /// The next event of these bytes. After ConnectionErrorEvent it answers NoEvent for ever. Also to
  /// be asked after output_sent() (WritableEvent) and on_time(). When the turn is over it takes no
  /// further frame: then there may be unread() bytes behind a NoEvent.
  Event next_event();
  /// While a HeadersEvent of the stream is handled: the DATA frame behind its block, if all of it
  /// is here and nothing is unusual about it, just as next_event() would give it. Who asks saves
  /// the way there: a call that came whole is one event. Else `stream` is null, and it comes as it
  /// does to those who do not ask.
  DataEvent data_behind(Stream& stream);
  /// Whether next_event() has anything to look at; if not, it answers NoEvent and does nothing.
  bool may_have_event() const noexcept {
    return !reader_.unread().empty() || reader_.is_in_block() || room_is_awaited_ ||
           scheduler_.has_waiting() || failure_.has_value() || !lost_.empty() ||
           settings_.is_reading() || phase_ == Phase::preface;
  }
  /// Allows the peer's frames that much work from now on (WorkMeter says what a unit is). A driver
  /// with other connections calls it before it comes to this one.
  void begin_turn(WorkMeter::Units work = WorkMeter::turn) noexcept { work_.begin_turn(work); }
  void end_turn() noexcept { work_.end_turn(); }
  bool is_turn_over() const noexcept { return work_.is_turn_over(); }
  /// All the work that the peer's frames, and the growth of the output, have taken up to now.
  WorkMeter::Units work() const noexcept {
    return work_.spent() + WorkMeter::of_new(output_.grown());
  }
  /// When the input is used up in the middle of an unpadded DATA payload: how many bytes of which
  /// stream come next, so that they can be read straight into the message. bytes == 0: not now.
  struct DirectRead {
    Stream* stream = nullptr;
    std::size_t bytes = 0;
  };
  DirectRead direct_read() const noexcept;
  /// `count` of these bytes were read by the caller. Answers like a data event without the bytes
  /// (end_stream is set when this was the last of the stream's last frame).
  /// REQUIRES: count <= direct_read().bytes.
  Event direct_received(std::size_t count, TimePoint now);

  // ---- streams ---------------------------------------------------------------------------------
  enum class OpenState : std::uint8_t {
    ready,
    full,   // the peer's limit: wait for a stream to end, or for SettingsEvent
    closed  // GOAWAY of either side, no more ids, or broken
  };
  OpenState open_state() const noexcept;
  /// Client. REQUIRES: open_state() == ready. `stable` is encoded from its cache where the table
  /// has not changed, `variable` as literals behind it.
  Stream& open_stream(const HeaderTemplate& stable,
                      std::span<const HeaderField> variable,
                      bool end_stream,
                      void* context);
  /// Client. The same with the one message of the stream and END_STREAM, if all of it may go now
  /// (windows, a block that is in the cache); null and nothing done: open_stream().
  Stream* open_whole(const HeaderTemplate& stable, ByteSpan message, void* context);
  /// Server. Space for the one message of the stream, of `size` bytes, between its headers and
  /// trailers; empty and nothing done when all of it cannot go now: send_headers(). Valid until the
  /// next call; commit_whole() makes it real, and may be left out.
  MutableByteSpan reserve_whole(Stream& stream,
                                const HeaderTemplate& head,
                                std::size_t size,
                                const HeaderTemplate& trailers);
  /// REQUIRES: the last call was reserve_whole() of that stream, which gave space.
  void commit_whole(Stream& stream);
  /// Server: response headers; both: trailers (end_stream = true), which wait behind queued data.
  void send_headers(Stream& stream,
                    const HeaderTemplate& stable,
                    std::span<const HeaderField> variable,
                    bool end_stream);
  /// Space for `size` payload bytes right in the output, behind a DATA header or at the end of the
  /// stream's last unsent DATA frame; empty when they cannot all go now (window, queue, size): then
  /// send_data(). Valid until the next call; commit_data() makes it real, and may be left out.
  MutableByteSpan reserve_data(Stream& stream, std::size_t size);
  void commit_data(Stream& stream, std::size_t size, bool end_stream);
  /// Queues owned bytes; they leave as windows allow, gathered, never copied (short ones are).
  void send_data(Stream& stream, OwnedBytes bytes, bool end_stream);
  /// The same for bytes that lie in several places, as if they lay in one: together in frames.
  /// REQUIRES: there is a piece, and none is empty.
  void send_data(Stream& stream, std::span<OwnedBytes> pieces, bool end_stream);
  /// Copies what is left in the output of bytes that `owner` keeps: it may go.
  /// REQUIRES: no stream has any of them queued (its owner has released it).
  void copy_from(const BytesOwner& owner) { output_.copy_from(owner); }
  /// END_STREAM: on the last unsent DATA frame, or on an empty one, behind queued data.
  void end_stream(Stream& stream);
  /// Whether a message of `size` bytes may be handed over (ConnectionLimits: buffered output).
  /// After a no, WritableEvent comes.
  bool is_writable(Stream& stream, std::size_t size) noexcept;
  /// Whether a message of unknown size may be made for the stream (ConnectionLimits: buffered
  /// output). After a no, WritableEvent comes; yes for a stream that takes none any more.
  bool may_make_message(Stream& stream) noexcept;
  /// Nobody waits for the stream any more, to hand a message over or to make one.
  void leave(Stream& stream) noexcept { scheduler_.leave(stream); }
  /// Whether a new call may begin to answer (ConnectionLimits). After a no, RoomEvent comes.
  bool has_room_for_calls() noexcept;
  /// The owner has released `count` received bytes: gives window back (coalesced).
  void consumed(Stream& stream, std::size_t count);
  /// The owner has dropped all that it had of the stream, unread: as consumed(), but it pays for no
  /// tiny frames (ConnectionLimits).
  void dropped(Stream& stream) noexcept;
  /// The owner is inside a message and needs `remaining` bytes more to finish it: lets the window
  /// cover it, within the connection's budget; beyond the budget only the oldest is served.
  void needs(Stream& stream, std::size_t remaining);
  /// While it is held, messages that came whole wait unread, until handlers return: no more come
  /// than the budget has room for.
  void hold_input(bool is_held) noexcept { inbound_.hold(is_held); }
  bool is_input_held() const noexcept { return inbound_.is_held(); }
  /// Whether window is to be given back by the next output().
  bool has_credit() const noexcept { return inbound_.has_updates(); }
  /// The bytes of the last data event completed a message, whether anybody has read it or not: what
  /// a tiny DATA frame was charged (ConnectionLimits) is given back. consumed() does the same when
  /// it leaves nothing unconsumed.
  void message_completed(Stream& stream) noexcept;
  /// Whether the last DATA frame was charged for being tiny, and nothing was given back yet.
  static bool was_tiny(const Stream& stream) noexcept { return stream.receive_.was_tiny; }
  /// RST_STREAM, unless the stream is closed already. Queued output of the stream is dropped.
  void reset_stream(Stream& stream, ErrorCode code);
  /// The owner is done with the stream (the handler has returned): the only way a slot gets free.
  /// A server's stream whose end is queued first sends all of it; at `deadline` what is left is
  /// dropped and the stream reset (CANCEL). Any other stream that is still open is reset (client
  /// CANCEL, server NO_ERROR after its END_STREAM, else INTERNAL_ERROR). The reference is invalid
  /// afterwards, and no event names the stream any more.
  void release(Stream& stream, TimePoint deadline = no_deadline);
  /// While a HeadersEvent of the stream is handled: what its owner makes of the headers, and keeps,
  /// comes to `size` bytes, which counts where it is more than the headers themselves
  /// (ConnectionLimits).
  void keeps_of_headers(Stream& stream, std::size_t size) noexcept {
    if (size > headers_.list_size()) keep_headers(stream, size - headers_.list_size());
  }
  /// Whether the peer's first SETTINGS have come.
  bool has_peer_settings() const noexcept { return !reader_.awaits_settings(); }
  /// Nobody looked at what the peer said from `since` until `now`: its first word, and its ACK,
  /// have that much longer.
  void pass_unseen(TimePoint since, TimePoint now) noexcept;
  /// How large a header list may be that the peer takes, counting 32 bytes a field (6.5.2).
  std::size_t peer_max_header_list_size() const noexcept {
    return settings_.theirs().max_header_list_size;
  }
  const ConnectionLimits& limits() const noexcept { return *options_.limits; }
  /// How large a header list we send at most (ConnectionLimits), or that if it is less.
  std::size_t max_sent_header_list_size() const noexcept {
    return std::min<std::size_t>(settings_.theirs().max_header_list_size,
                                 limits().max_sent_header_list_size);
  }
  /// Bytes that were received and not consumed, and that wait to be sent.
  std::size_t buffered_input() const noexcept { return inbound_.buffered(); }
  /// Messages in the hands of those who wait to hand them over included.
  std::size_t buffered_output() const noexcept { return scheduler_.buffered() + scheduler_.held(); }
  /// Header lists that are kept, by the rules of max_header_list_size.
  std::size_t kept_headers() const noexcept { return kept_headers_; }
  /// Streams that take a slot: not released, or released and not yet sent.
  std::size_t stream_count() const noexcept { return streams_.size(); }
  /// Those of them that the server has not ended. Looks at each.
  std::size_t count_unfinished() noexcept;
  /// visit(Stream&) for each stream that is not released; it may release the one it is given.
  template <class Visit>
  void for_each_stream(Visit&& visit) {
    streams_.for_each([&](Stream& stream) {
      if (!stream.is_orphan_) visit(stream);
    });
  }
  /// The same, about the newest first: see StreamTable.
  template <class Visit>
  void for_each_stream_from_newest(Visit&& visit) {
    streams_.for_each_from_newest([&](Stream& stream) {
      if (!stream.is_orphan_) visit(stream);
    });
  }

  // ---- connection ------------------------------------------------------------------------------
  void send_ping(std::uint64_t opaque);
  /// GOAWAY(2^31-1): streams that arrive still count (RFC 9113 6.8).
  void announce_shutdown();
  /// GOAWAY(last processed id, code): later streams are ignored.
  void send_goaway(ErrorCode code, std::string_view debug);
  /// A frame of a type that this engine does not know: attachments (#12), shared memory (#14).
  /// REQUIRES: payload.size() <= 16,384, which every peer takes.
  void send_frame(std::uint8_t type, std::uint8_t flags, StreamId stream, ByteSpan payload);
  bool is_broken() const noexcept { return phase_ == Phase::broken; }
  /// Nothing more will be accepted or opened and no stream is left: close when output is sent.
  bool is_drained() const noexcept;

  // ---- bytes out -------------------------------------------------------------------------------
  bool has_output() const noexcept {
    return !output_.empty() || (phase_ == Phase::open && has_more_output());
  }
  /// Fills at most into.size() pieces; returns how many. Valid until the next non-const call.
  std::size_t output(std::span<iovec> into);
  void output_sent(std::size_t count, TimePoint now);
  /// Bytes ever put out up to now. It is a frame boundary and stays one: what comes later begins a
  /// new frame.
  std::uint64_t output_position() noexcept;
  std::uint64_t sent_position() const noexcept { return output_.sent(); }
  /// Whether induced frames (ACKs, RSTs) are so many, or so much is put out, headers above all,
  /// that reading must pause until it is sent.
  bool should_pause_reading() const noexcept {
    return !output_.empty() && (is_output_full() || has_many_induced());
  }

  // ---- time and memory -------------------------------------------------------------------------
  TimePoint next_deadline() const noexcept;
  void on_time(TimePoint now);  // may make next_event() answer ConnectionErrorEvent
  SessionStats stats() const noexcept;
  /// Gives memory back that an idle session does not need; worth it after a burst. Ends the life of
  /// what events showed.
  void trim() noexcept;

 private:
  /// preface: a server's, while the client's preface has not come; nothing is put out but GOAWAY.
  enum class Phase : std::uint8_t { preface, open, broken };
  using Frame = FrameReader::Frame;
  using Verdict = Result<void, Violation>;

  // session_input.cpp: frames to events. NoEvent means: go on.
  bool read_preface();
  Event on_frame(const Frame& frame);
  Event on_rare_frame(const Frame& frame);
  Event begin_data(const Frame& frame);
  Event on_data(const Frame& frame, std::size_t size);
  void drop_data(const Frame& frame, std::uint32_t count);
  Event end_data(Stream& stream, const Frame& frame, std::uint32_t count);
  void count_size(Stream& stream, std::uint32_t payload);
  Event on_headers(const Frame& frame, HeaderBlockInput::Step step);
  Event on_rst_stream(const Frame& frame);
  Event on_settings(const Frame& frame);
  Event on_ping(const Frame& frame);
  Event on_goaway(const Frame& frame);
  Event on_window_update(const Frame& frame);
  Event on_priority(const Frame& frame);
  Event next_setting();
  Event finish_settings();
  Event serve_waiting() noexcept;
  Event fail(const Violation& violation);
  Event fail_stream(Stream& stream, const Violation& violation);
  void note(const Verdict& verdict);

  // session_headers.cpp: header blocks.
  Event on_block(StreamId id);
  Event on_request(StreamId id, bool end_stream);
  Event on_more_headers(Stream& stream, bool end_stream);
  Result<HeadersEvent::Part, Violation> take_headers(Stream& stream, bool end_stream);
  /// Whether another header list may be kept: up to one more than the budget, which grows with the
  /// calls that are open, so that it does not let in fewer than max_concurrent_streams does.
  bool may_keep_headers() const noexcept {
    constexpr std::size_t calls_within = 1000;
    constexpr std::size_t of_a_further_call = 1024;
    if (kept_headers_ < limits().max_buffered_headers) [[likely]]
      return true;
    const std::size_t further = std::max(streams_.size(), calls_within) - calls_within;
    return kept_headers_ < limits().max_buffered_headers + further * of_a_further_call;
  }
  void keep_headers(Stream& stream, std::size_t size) noexcept {
    stream.receive_.kept_headers += static_cast<std::uint32_t>(size);
    kept_headers_ += size;
  }
  void refuse(StreamId id, bool end_stream, ErrorCode code);
  Verdict check_absent(StreamId id);

  // session_output.cpp: frames out; session_whole.cpp: those of a whole request or answer.
  bool has_new_initial() const noexcept {
    return inbound_.wants_new_initial() && settings_.may_send();
  }
  /// Whether flush() would put something out.
  bool has_more_output() const noexcept {
    return scheduler_.can_fill() || inbound_.has_updates() || has_new_initial();
  }
  void write_opening();
  void write_settings(std::span<const Setting> settings);
  void write_frame(const FrameHeader& header, ByteSpan payload);
  void write_rst(StreamId id, ErrorCode code);
  void write_goaway(StreamId last, ErrorCode code, std::string_view debug);
  void write_headers(StreamId id,
                     const HeaderTemplate* stable,
                     std::span<const HeaderField> variable,
                     bool end_stream);
  bool write_known_block(StreamId id, const EncodedBlock& block, bool end_stream);
  std::size_t known_size(const EncodedBlock* block) const noexcept {
    return block != nullptr ? encoder_.known_size(*block) : 0;
  }
  /// A stream of a client is there. REQUIRES: open_state() == ready.
  Stream& add_stream(bool end_stream, void* context);
  void write_block(StreamId id, ByteSpan rest, bool end_stream);
  void count_induced();
  void flush();
  void finish_sending(Stream& stream);

  // session.cpp: streams.
  bool can_command(const Stream& stream) const noexcept {
    return !is_broken() && !stream.is_closed();
  }
  bool can_send(const Stream& stream) const noexcept {
    return can_command(stream) && !stream.send_.is_finishing();
  }
  void ended_here(Stream& stream) noexcept;
  /// Whether the server's END_STREAM has been sent, or has come: a call ends with it.
  bool is_answered(const Stream& stream) const noexcept {
    const StreamState& state = stream.state_;
    return (role_ == Role::server ? state.local() : state.remote()) == StreamState::Half::closed;
  }
  void note_closed(Stream& stream) noexcept;
  void close_by_reset(Stream& stream, StreamState::Ending ending);
  void drop_input(const Stream& stream) noexcept;
  void charge_reset(Stream& stream);
  void destroy(Stream& stream) noexcept;
  void settle_orphan(Stream& stream);
  void drop_late_orphans();
  bool is_stalled_output() const noexcept;
  /// DATA stops long before that. A client puts out what its own side asks for.
  bool is_output_full() const noexcept {
    return role_ == Role::server &&
           output_.size() >= std::max(limits().max_buffered_output, 2 * SendScheduler::high_water);
  }
  bool has_many_induced() const noexcept {
    return budget_.induced_frames(output_.sent()) >= limits().max_induced_frames;
  }
  bool has_room() const noexcept {
    return scheduler_.buffered() < limits().max_buffered_output_of_new_calls;
  }

  const Role role_;
  Phase phase_;
  bool room_is_awaited_ = false;  // has_room_for_calls() said no
  bool wait_told_ = false;        // WritersWaitEvent was
  SessionOptions options_;
  std::optional<Violation> failure_;  // to be told by next_event()

  SegmentPool segments_;
  OutputQueue output_{segments_};
  StreamTable streams_;
  FrameReader reader_;
  PrefaceReader preface_;
  SettingsExchange settings_;
  Shutdown shutdown_;
  StreamIds ids_;
  HeaderBlockInput block_;
  HpackDecoder decoder_;
  HpackEncoder encoder_;
  HeaderList headers_;
  HeaderRules rules_;
  TemplateCache templates_;
  SendScheduler scheduler_;
  InboundWindow inbound_;
  AbuseBudget budget_;
  WorkMeter work_;
  StreamList<&Stream::lost_link_> lost_;  // GOAWAY says that they were never begun

  std::size_t whole_size_ = 0;          // what reserve_whole() reserved
  std::size_t whole_message_size_ = 0;  // the part of it that is the message
  std::vector<std::byte> block_out_;    // the header block that is being written
  std::vector<HeaderField> fields_out_;
  Stream* data_stream_ = nullptr;   // whose DATA frame is coming; null: nobody's
  std::uint32_t data_size_ = 0;     // of that frame, without padding
  std::uint64_t kept_headers_ = 0;  // of all streams that are not released
  std::uint32_t active_ = 0;        // client: streams that count against the peer's limit
  std::size_t orphans_ = 0;
  TimePoint orphans_until_ = no_deadline;  // not after the first of their deadlines

  TimePoint greeting_awaited_since_;  // the preface, or the first SETTINGS
  TimePoint now_;
  TimePoint progress_at_;  // the last byte in or out
  SessionStats counted_;
};

}  // namespace nearcall::inline v0::detail::http2
