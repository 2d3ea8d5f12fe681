// SPDX-License-Identifier: Apache-2.0
// Stream: one HTTP/2 stream, as its owner holds it and as the session's parts know it.
#pragma once

#include "base/clock.hpp"
#include "http2/flow_window.hpp"
#include "http2/frame.hpp"
#include "http2/header_template.hpp"
#include "http2/output_queue.hpp"
#include "http2/stream_list.hpp"
#include "http2/stream_state.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nearcall::inline v0::detail::http2 {

/// One stream, as the layers above hold it: a stable address from its first event (or open_stream)
/// until release(). Lives in a slab inside the session.
///
/// Thread safety: as its session.
class Stream {
 public:
  StreamId id() const noexcept { return id_; }
  /// The owner's pointer; null on a new inbound stream until the server sets it.
  void* context() const noexcept { return context_; }
  void set_context(void* context) noexcept { context_ = context; }
  /// Closed on both sides, by END_STREAM or a reset: commands do nothing any more.
  bool is_closed() const noexcept { return state_.is_closed(); }

 private:
  friend class InboundWindow;
  friend class SendScheduler;
  friend class Session;
  friend class StreamTable;

  /// What waits to be sent. Queued bytes come before `trailers`, which come before nothing.
  struct SendSide {
    /// What the owner waits for, before it hands over the next message.
    enum class Wait : std::uint8_t {
      nothing,    // it does not wait
      own_queue,  // fewer queued bytes of this stream
      budget,     // fewer queued bytes of all streams
      output,     // its turn: the window covers the message, which goes as soon as others went
      // Before it makes one:
      backlog,      // less output that waits, of all streams
      long_backlog  // the same, with its window open
    };

    Window window;
    Segment* first = nullptr;
    Segment* last = nullptr;
    std::size_t queued = 0;
    std::unique_ptr<HeaderTemplate> trailers;
    /// END_STREAM goes with the last queued byte.
    bool ends = false;
    Wait wait = Wait::nothing;
    /// How large the message is that waits; 0: there is none yet.
    std::size_t awaited_size = 0;
    bool is_finishing() const noexcept { return ends || trailers != nullptr; }
    /// Where the header of the stream's last DATA frame is in the output; 0: there was none.
    std::uint64_t data_mark = 0;
  };
  /// What has come and what may still come; invariants in inbound_window.hpp.
  struct ReceiveSide {
    static constexpr std::uint64_t any_length = ~std::uint64_t{0};

    Window window;
    std::uint32_t unconsumed = 0;
    std::uint64_t needed = 0;
    bool is_served = false;
    bool ended = false;
    /// The last DATA frame was charged to the overhead budget.
    bool was_tiny = false;
    std::uint8_t informational = 0;
    /// The sizes of the header lists that the owner got and may still have.
    std::uint32_t kept_headers = 0;
    /// What content-length leaves, or any_length.
    std::uint64_t content_left = any_length;
  };

  /// As it was made: whoever adds a member renews it here. REQUIRES: it is in no list. Field by
  /// field: a large object is cleared by a loop of the processor's, which takes longer than all of
  /// a look-up.
  void renew() noexcept {
    id_ = 0;
    state_ = StreamState();
    is_active_ = is_charged_ = is_orphan_ = false;
    orphan_until_ = no_deadline;
    context_ = nullptr;
    send_ = SendSide();
    receive_ = ReceiveSide();
  }

  StreamId id_ = 0;
  StreamState state_;
  /// Counts against what the peer lets us open.
  bool is_active_ = false;
  /// Its reset counts against max_resets_outstanding.
  bool is_charged_ = false;
  /// The owner has released it, and its queued bytes are still to be sent.
  bool is_orphan_ = false;
  /// Until when, if it is one.
  TimePoint orphan_until_ = no_deadline;
  void* context_ = nullptr;
  SendSide send_;
  ReceiveSide receive_;
  StreamLink ready_link_;   // SendScheduler: data, and window for it
  StreamLink wait_link_;    // SendScheduler: its owner waits for the budget or the output
  StreamLink credit_link_;  // InboundWindow: a WINDOW_UPDATE is due
  StreamLink need_link_;    // InboundWindow: in the middle of a message
  StreamLink lost_link_;    // Session: its reset event is due

  static constexpr std::size_t size_known_to_renew = 256;
};

}  // namespace nearcall::inline v0::detail::http2
