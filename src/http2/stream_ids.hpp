// SPDX-License-Identifier: Apache-2.0
// StreamIds: which ids were used, and what may still come for streams that are gone (RFC 9113
// section 5.1.1).
#pragma once

#include "http2/closed_streams.hpp"
#include "http2/frame.hpp"
#include "http2/session_options.hpp"

#include <cstdint>

namespace nearcall::inline v0::detail::http2 {

/// The ids of a connection, all of which are the client's: without push a server opens no stream.
/// Each is idle until it is used; using one closes those below it that were left out.
///
/// Thread safety: none.
class StreamIds {
 public:
  /// What a stream is that is not in the table.
  enum class Absent : std::uint8_t {
    idle,     // never used: too high, even, or left out by the last one that came
    ignored,  // we reset it, and the peer may not have known
    closed    // nothing may come for it
  };

  explicit StreamIds(Role role) noexcept : role_(role) {}

  /// Client: whether there is an id left for another stream, and the next one.
  bool has_next() const noexcept { return next_ <= max_stream_id; }
  /// REQUIRES: has_next().
  StreamId take_next() noexcept {
    const StreamId id = next_;
    next_ += 2;
    return id;
  }
  /// Server: whether HEADERS with this id open a stream.
  bool opens(StreamId id) const noexcept {
    return role_ == Role::server && id % 2 == 1 && id >= next_;
  }
  /// REQUIRES: opens(id).
  void open(StreamId id) noexcept {
    if (id > next_) {
      skipped_from_ = next_;
      skipped_to_ = id - 1;
    }
    next_ = id + 2;
  }
  /// Server: the highest id that came; 0: none did.
  StreamId last_of_peer() const noexcept {
    return role_ == Role::server && next_ > 2 ? next_ - 2 : 0;
  }

  /// We reset the stream while the peer could still send.
  void remember_reset(StreamId id) { reset_.remember(id); }
  bool is_idle(StreamId id) const noexcept { return id % 2 == 0 || id >= next_; }
  /// REQUIRES: no stream of the table has this id.
  Absent absent(StreamId id) const noexcept;

 private:
  const Role role_;
  StreamId next_ = 1;          // the lowest that is idle
  StreamId skipped_from_ = 0;  // server: what the peer left out last: never used, so not closed
  StreamId skipped_to_ = 0;
  ClosedStreams reset_;
};

}  // namespace nearcall::inline v0::detail::http2
