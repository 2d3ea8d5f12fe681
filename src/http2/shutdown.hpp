// SPDX-License-Identifier: Apache-2.0
// Shutdown: what GOAWAY of either side means for streams (RFC 9113 section 6.8).
#pragma once

#include "http2/frame.hpp"
#include "http2/violation.hpp"

#include <nearcall/result.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace nearcall::inline v0::detail::http2 {

/// The graceful and the abrupt end of a connection, in both directions:
///
///     ours:    open --announce()--> announced --close()--> closed      (close() also right away)
///     theirs:  open --receive()--> leaving                             (and again, lower last ids)
///
/// Announced, streams of the peer still count; closed, those beyond the last id do not. No I/O.
/// Thread safety: none.
class Shutdown {
 public:
  /// We will go: whether that has to be said (GOAWAY with max_stream_id).
  bool announce() noexcept {
    if (ours_ != Ours::open) return false;
    ours_ = Ours::announced;
    return true;
  }
  /// We take no stream beyond `last_taken` any more: the last id that GOAWAY has to say.
  StreamId close(StreamId last_taken) noexcept {
    ours_ = Ours::closed;
    return our_last_ = lowered(last_taken);
  }
  /// The last id of a GOAWAY that is about an error: never higher than one before.
  StreamId lowered(StreamId last_taken) const noexcept { return std::min(our_last_, last_taken); }
  /// The last id of the GOAWAY that would have been sent by now, if any.
  std::optional<StreamId> said() const noexcept {
    if (ours_ == Ours::open) return std::nullopt;
    return our_last_;
  }
  bool is_announced() const noexcept { return ours_ != Ours::open; }
  bool is_closed() const noexcept { return ours_ == Ours::closed; }
  /// Whether a stream of the peer's is one that we said we would not take.
  bool is_refused(StreamId id) const noexcept { return is_closed() && id > our_last_; }

  /// The peer's GOAWAY. A later one must not name a higher id.
  Result<void, Violation> receive(StreamId last, ErrorCode code) noexcept;
  /// Whether we may open no more streams, whoever said so.
  bool opens_none() const noexcept { return is_announced() || theirs_ == Theirs::leaving; }
  /// What the peer's last GOAWAY said. REQUIRES: one came.
  ErrorCode their_code() const noexcept { return their_code_; }

 private:
  enum class Ours : std::uint8_t { open, announced, closed };
  enum class Theirs : std::uint8_t { open, leaving };

  Ours ours_ = Ours::open;
  Theirs theirs_ = Theirs::open;
  StreamId our_last_ = max_stream_id;
  StreamId their_last_ = max_stream_id;
  ErrorCode their_code_{};
};

}  // namespace nearcall::inline v0::detail::http2
