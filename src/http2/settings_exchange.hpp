// SPDX-License-Identifier: Apache-2.0
// SettingsExchange: our SETTINGS until their ACK, and the peer's, entry by entry (RFC 9113 section
// 6.5).
#pragma once

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "http2/session_options.hpp"
#include "http2/settings.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// Both directions of a connection's settings. At most one of our SETTINGS is on its way at a time:
///
///     ours:    unsent --sent()--> awaiting --acknowledge()--> settled --sent()--> awaiting
///     theirs:  idle --begin()--> reading --finish()--> idle
///
/// Thread safety: none.
class SettingsExchange {
 public:
  using Verdict = Result<void, Violation>;

  explicit SettingsExchange(Role role) noexcept : role_(role) {}

  // ---- ours ------------------------------------------------------------------------------------
  /// REQUIRES: may_send().
  void sent(TimePoint now) noexcept {
    ours_ = Ours::awaiting;
    awaiting_since_ = now;
  }
  /// Whether any were sent: they have to be the first frame.
  bool has_sent() const noexcept { return ours_ != Ours::unsent; }
  /// Whether the peer knows all that we sent, so that we may send more.
  bool may_send() const noexcept { return ours_ != Ours::awaiting; }
  /// An ACK came.
  Verdict acknowledge() noexcept;
  /// From now on the peer has a reason to answer: the time that it has begins anew.
  void restart_clock(TimePoint now) noexcept { awaiting_since_ = now; }
  /// That much time does not count.
  void pass(Duration unseen) noexcept {
    if (ours_ == Ours::awaiting) awaiting_since_ += unseen;
  }
  /// Since when an ACK is awaited; no_deadline: none is.
  TimePoint awaiting_since() const noexcept {
    return ours_ == Ours::awaiting ? awaiting_since_ : no_deadline;
  }

  // ---- theirs ----------------------------------------------------------------------------------
  const PeerSettings& theirs() const noexcept { return theirs_; }
  /// SETTINGS came, with these entries, which stay valid until finish().
  void begin(ByteSpan entries) noexcept {
    state_ = Theirs::reading;
    left_ = entries;
    initial_before_ = theirs_.initial_window_size;
  }
  bool is_reading() const noexcept { return state_ == Theirs::reading; }
  bool has_entry() const noexcept { return !left_.empty(); }
  /// The next entry, after its value was checked and taken.
  struct Entry {
    Setting setting;
    bool is_known = false;
  };
  /// REQUIRES: has_entry().
  Result<Entry, Violation> next() noexcept;
  /// All entries were read: by how much SETTINGS_INITIAL_WINDOW_SIZE changed.
  std::int64_t finish() noexcept {
    state_ = Theirs::idle;
    return std::int64_t{theirs_.initial_window_size} - initial_before_;
  }

 private:
  enum class Ours : std::uint8_t { unsent, awaiting, settled };
  enum class Theirs : std::uint8_t { idle, reading };

  const Role role_;
  Ours ours_ = Ours::unsent;
  Theirs state_ = Theirs::idle;
  TimePoint awaiting_since_ = no_deadline;
  PeerSettings theirs_;
  ByteSpan left_;
  std::uint32_t initial_before_ = 0;
};

}  // namespace nearcall::inline v0::detail::http2
