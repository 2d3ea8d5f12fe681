// SPDX-License-Identifier: Apache-2.0
// InboundWindow: how much DATA the peer may send us, and when we tell it so.
#pragma once

#include "http2/stream_table.hpp"

#include <nearcall/connection_limits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// The receive side of a session's flow control (RFC 9113 section 6.9), made so that received bytes
/// nobody has consumed never exceed the budget by more than one message, that a message of any size
/// completes, and that one slow reader stops nobody else.
///
/// *Normally* each stream may have `initial` (1 MiB) bytes here, and more while its owner is inside
/// a message (needs()); the connection's window is what the budget leaves, so the streams' windows
/// together may promise more than there is.
///
/// That cannot work when many streams are in the middle of large messages: all would stop with the
/// budget used up and no message complete. So once half of it is used we *ration*: by SETTINGS the
/// windows of all streams shrink (they may become negative, 6.9.2) to a small one that is enough
/// for small messages. From its ACK on, what the streams may still send is less than the connection
/// window, which therefore stops nobody, and streams in the middle of a message are served in the
/// order in which they began it: as many as the budget has room for, but always one, unless what
/// is here is held. When a quarter of the budget is left the normal windows return.
///
///  (1) Windows here are never less than what the peer knows: raised when SETTINGS or
///      WINDOW_UPDATE is sent, lowered when DATA comes or SETTINGS is acknowledged.
///  (2) promised_ is the sum of the positive windows of streams that have not ended.
///  (3) A stream's window never exceeds `initial`, so that at the ACK no large window is left.
///  (4) While not rationing: buffered_ + window_ <= normal_budget_ after each update.
///
/// Thread safety: none.
class InboundWindow {
 public:
  InboundWindow(StreamTable& streams,
                const ConnectionLimits& limits,
                std::uint32_t initial_window) noexcept;

  /// A new stream. Its window is the initial one that holds now.
  void open(Stream& stream) noexcept;
  /// The peer may send no more on it: END_STREAM or a reset.
  void input_ended(Stream& stream) noexcept;
  /// It goes: what it had buffered is free again.
  void remove(Stream& stream) noexcept;

  /// The connection's.
  const Window& window() const noexcept { return window_; }
  /// Whether a DATA frame of `size` bytes (all its payload, 6.9.1) fits.
  bool covers(std::uint32_t size) const noexcept { return window_.covers(size); }
  static bool covers(const Stream& stream, std::uint32_t size) noexcept {
    return stream.receive_.window.covers(size);
  }
  /// How large a DATA frame may be that fits both.
  std::uint32_t room(const Stream& stream) const noexcept {
    return std::min(window_.available(), stream.receive_.window.available());
  }
  /// Bytes came for the stream's owner, who has them until consumed().
  void receive(Stream& stream, std::uint32_t count) noexcept;
  /// Bytes came that nobody gets: padding; on a stream that is no more: `stream` is null.
  void drop(Stream* stream, std::uint32_t count) noexcept;
  void consume(Stream& stream, std::size_t count) noexcept;
  /// While it is held, messages that were received wait unread for something else than their
  /// bytes: none more is let in beyond the budget, not even one.
  void hold(bool is_held) noexcept;
  bool is_held() const noexcept { return is_held_; }
  /// The owner is inside a message that has `remaining` bytes to come.
  void need(Stream& stream, std::size_t remaining) noexcept;

  /// Whether SETTINGS_INITIAL_WINDOW_SIZE has to change.
  bool wants_new_initial() const noexcept {
    return (mode_ == Mode::normal && buffered_ > budget_ / 2) ||
           (mode_ == Mode::rationing && buffered_ < budget_ / 4);
  }
  /// Its new value, to be sent now. REQUIRES: wants_new_initial(), and no ACK is outstanding.
  std::uint32_t take_new_initial() noexcept;
  /// Our last SETTINGS was acknowledged.
  void settings_acknowledged() noexcept;

  bool has_updates() const noexcept {
    return connection_credit() > 0 || (mode_ != Mode::asked && !credited_.empty());
  }
  /// What a WINDOW_UPDATE of the connection has to say now; 0: nothing.
  std::uint32_t take_connection_credit() noexcept;
  /// The next stream's WINDOW_UPDATE; `increment` 0: there is none.
  struct Credit {
    StreamId stream = 0;
    std::uint32_t increment = 0;
  };
  Credit take_stream_credit() noexcept;

  std::uint32_t buffered() const noexcept { return buffered_; }
  bool is_rationing() const noexcept { return mode_ == Mode::rationing; }
  /// What the initial window is while rationing.
  std::uint32_t rationed_initial() const noexcept { return rationed_initial_; }

 private:
  /// normal → asked (SETTINGS sent) → rationing (ACK came) → normal (SETTINGS sent).
  enum class Mode : std::uint8_t { normal, asked, rationing };

  std::int64_t target_of(const Stream& stream) const noexcept;
  std::uint32_t base() const noexcept {
    return mode_ == Mode::rationing ? rationed_initial_ : initial_;
  }
  bool may_serve(const Stream& stream) const noexcept {
    return stream.receive_.needed > 0 && (mode_ == Mode::normal || stream.receive_.is_served);
  }
  void change_window(Stream& stream, std::int64_t delta) noexcept;
  void change_all(std::int64_t delta) noexcept;
  void refresh(Stream& stream) noexcept;
  void set_needed(Stream& stream, std::uint64_t needed) noexcept;
  void serve() noexcept;
  void stop_serving() noexcept;
  std::uint32_t connection_credit() const noexcept {
    if (mode_ == Mode::rationing) [[unlikely]]
      return rationed_credit();
    const std::int64_t missing = std::int64_t{normal_budget_} - buffered_ - window_.size();
    return missing >= normal_budget_ / 4 ? static_cast<std::uint32_t>(missing) : 0;
  }
  std::uint32_t rationed_credit() const noexcept;

  StreamTable& streams_;
  std::uint32_t initial_;
  std::uint32_t
      announced_initial_;  // what initial_ becomes when our first SETTINGS is acknowledged
  std::uint32_t rationed_initial_;
  std::uint32_t budget_;
  std::uint32_t normal_budget_;
  Mode mode_ = Mode::normal;
  bool is_held_ = false;
  Window window_{default_setting::initial_window_size};
  std::uint32_t buffered_ = 0;
  std::int64_t promised_ = 0;
  std::uint64_t committed_ = 0;                 // what the served streams still need
  StreamList<&Stream::credit_link_> credited_;  // a WINDOW_UPDATE is due
  StreamList<&Stream::need_link_> waiting_;     // inside a message, not served
  StreamList<&Stream::need_link_> serving_;     // inside a message, is_served
};

}  // namespace nearcall::inline v0::detail::http2
