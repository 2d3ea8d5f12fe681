// SPDX-License-Identifier: Apache-2.0
// SendScheduler: which stream's DATA goes next, and into which frames.
#pragma once

#include "http2/stream.hpp"

#include <nearcall/connection_limits.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace nearcall::inline v0::detail::http2 {

/// The send side of a session's flow control (RFC 9113 section 6.9.1): puts DATA into the output as
/// both windows allow, in turns, and never so much that what comes after waits long.
///
/// There are two ways for DATA: reserve() and commit() write it right into the output, when it may
/// go at once; queue() keeps it until fill() finds window and room for it. A stream with queued
/// bytes only uses the second, so that its bytes stay in order.
///
/// Who may hand over more is decided by what is queued, of the stream and of all
/// (ConnectionLimits). A peer that keeps the windows of some streams closed can use all of that up;
/// so a message that its stream's window covers may go beyond it, one at a time, as fast as the
/// output empties. Whoever has to wait is served in the order of coming.
///
/// Messages that wait in the hands of their owners take memory as well, so whoever is about to make
/// one asks may_make_message() before that.
///
///  (1) A stream is ready exactly if it has queued bytes and its window is positive.
///  (2) queued_ is the sum of the streams' queued bytes and trailers.
///  (3) queued_ exceeds max_buffered_output by one message at most, and by what was handed over
///      without asking is_writable().
///  (4) held_ is the sum of the streams' awaited sizes.
///
/// Thread safety: none.
class SendScheduler {
 public:
  /// fill() begins below the first and stops at the second.
  static constexpr std::size_t low_water = std::size_t{512} * 1024;
  static constexpr std::size_t high_water = std::size_t{1024 + 128} * 1024;
  /// What a stream may send in its turn when others wait.
  static constexpr std::size_t turn = std::size_t{64} * 1024;
  /// What reserve() gives at most: the output's buffer stays small, whatever goes through it.
  static constexpr std::size_t max_reserved = std::size_t{64} * 1024;
  /// Queued bytes up to this many are copied into the output: cheaper than another iovec.
  static constexpr std::size_t max_copied = 2048;

  SendScheduler(OutputQueue& output, SegmentPool& segments, const ConnectionLimits& limits) noexcept
      : output_(output), segments_(segments), limits_(limits) {}

  /// The connection's window, which the peer sets.
  Window& window() noexcept { return window_; }
  const Window& window() const noexcept { return window_; }
  void set_max_frame_size(std::uint32_t size) noexcept { max_frame_size_ = size; }

  /// Whether `size` bytes of a stream with that window may go now, in one frame.
  /// REQUIRES: it has none queued.
  bool may_go_now(const Window& window, std::size_t size) const noexcept {
    return ready_.empty() && window.covers(size) && window_.covers(size) && size <= max_reserved &&
           size <= max_frame_size_ && output_.size() + size <= high_water;
  }
  /// A DATA frame with as many was put out, with what ends the stream behind it.
  /// REQUIRES: may_go_now().
  void count_whole(Stream& stream, std::size_t size) noexcept {
    stream.send_.window.take(static_cast<std::uint32_t>(size));
    window_.take(static_cast<std::uint32_t>(size));
    reserved_ = 0;
    seal();
  }
  /// Room for `size` bytes in a DATA frame of the stream, or an empty span when they cannot all go
  /// now. Good until anything else is put out.
  MutableByteSpan reserve(Stream& stream, std::size_t size);
  /// REQUIRES: reserve() of this stream gave at least `size` bytes, or size == 0.
  void commit(Stream& stream, std::size_t size, bool end_stream);
  /// Keeps the bytes until they may go. REQUIRES: !bytes.empty().
  void queue(Stream& stream, OwnedBytes bytes);
  /// Puts END_STREAM on the stream's last DATA frame, if that has not begun to be sent, or on a new
  /// empty one. REQUIRES: nothing is queued.
  void end_stream(Stream& stream);
  /// What is put out from now on begins a new frame.
  void seal() noexcept { tail_stream_ = 0; }

  /// Whether fill() would put something out.
  bool can_fill() const noexcept {
    return !ready_.empty() && window_.available() > 0 && output_.size() < low_water;
  }
  /// Puts DATA out. Stops when a stream's last queued byte went whose message ends there, and
  /// answers with it: END_STREAM is out, or its trailers are due. Call again until null.
  Stream* fill();
  /// Keeps trailers until the stream's queued bytes went. REQUIRES: some are queued.
  void queue_trailers(Stream& stream, HeaderTemplate trailers);
  /// Those of a stream that fill() answered with; null: END_STREAM is out.
  std::unique_ptr<HeaderTemplate> take_trailers(Stream& stream) noexcept;
  /// The stream's window has changed.
  void window_changed(Stream& stream) noexcept {
    update_ready(stream);
    update_wait(stream);
  }
  /// The stream's queued bytes go nowhere any more.
  void drop(Stream& stream) noexcept;

  /// Whether the stream's owner may hand over a message of `size` bytes. After a no, take_woken()
  /// answers with the stream once it may.
  bool is_writable(Stream& stream, std::size_t size) noexcept;
  /// Whether the stream's owner may begin what ends in a message of unknown size: not while more
  /// than the budget waits, queued or with the owners of other streams, or, of a stream whose
  /// window is open, more than max_buffered_output_of_new_calls. Answers as is_writable().
  bool may_make_message(Stream& stream) noexcept;
  /// Nobody waits for the stream any more, to hand a message over or to make one.
  void leave(Stream& stream) noexcept;
  /// Whether streams wait for the budget of all, or for their turn.
  bool has_waiting() const noexcept { return waiting_ > 0; }
  /// The next stream that was told no, and would be told yes now.
  Stream* take_woken() noexcept;
  /// Whether streams wait for the budget though all that may go is gone: the peer keeps the windows
  /// of others closed.
  bool is_stuck() const noexcept {
    return output_.empty() && (!blocked_.empty() || !behind_.empty() || !far_behind_.empty());
  }
  /// Bytes that wait, queued or put out.
  std::size_t buffered() const noexcept { return queued_ + output_.size(); }
  /// Bytes of messages whose owners wait to hand them over.
  std::size_t held() const noexcept { return held_; }

 private:
  bool has_budget() const noexcept { return queued_ == 0 || queued_ < limits_.max_buffered_output; }
  bool has_room(const Stream& stream, std::size_t size) const noexcept;
  bool is_backlog_below(std::size_t limit) const noexcept {
    return queued_ + held_ == 0 || queued_ + held_ < limit;
  }
  bool goes_at_once(const Stream& stream, std::size_t size) const noexcept;
  Stream::SendSide::Wait wait_of(const Stream& stream) const noexcept;
  void update_wait(Stream& stream) noexcept {
    if (stream.send_.wait != Stream::SendSide::Wait::nothing) [[unlikely]]
      set_wait(stream, wait_of(stream));
  }
  void set_wait(Stream& stream, Stream::SendSide::Wait wait) noexcept;
  void set_awaited_size(Stream& stream, std::size_t size) noexcept {
    held_ += size - stream.send_.awaited_size;
    stream.send_.awaited_size = size;
  }
  using WaitList = StreamList<&Stream::wait_link_>;
  WaitList* list_of(Stream::SendSide::Wait wait) noexcept;
  void update_ready(Stream& stream) noexcept;
  void write_frame(Stream& stream, std::size_t limit);
  void write_payload(Stream& stream, std::size_t size);
  void release_owner(const Stream::SendSide& send);

  OutputQueue& output_;
  SegmentPool& segments_;
  const ConnectionLimits& limits_;
  Window window_{default_setting::initial_window_size};
  std::uint32_t max_frame_size_ = default_setting::max_frame_size;
  StreamList<&Stream::ready_link_> ready_;
  WaitList blocked_;         // Wait::budget
  WaitList fitting_;         // Wait::output
  WaitList behind_;          // Wait::backlog
  WaitList far_behind_;      // Wait::long_backlog
  std::size_t waiting_ = 0;  // on all of these lists
  std::size_t queued_ = 0;
  std::size_t held_ = 0;  // by owners that wait to hand it over

  /// The DATA frame that ends the output, if its payload lies in the buffer: it may grow.
  StreamId tail_stream_ = 0;
  std::uint32_t tail_payload_ = 0;
  std::uint64_t tail_mark_ = 0;
  /// Of the last reserve(): what it gave, and whether that continues the tail.
  std::size_t reserved_ = 0;
  bool reserved_in_tail_ = false;
};

}  // namespace nearcall::inline v0::detail::http2
