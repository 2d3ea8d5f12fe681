// SPDX-License-Identifier: Apache-2.0
// ClosedStreams: which frames may still come for streams that are gone (RFC 9113 section 5.1).
#pragma once

#include "http2/frame.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace nearcall::http2 {

/// Remembers the streams that we reset while the peer could still send: what it had sent before it
/// knew has to be ignored. On any other closed stream nothing is on its way, and DATA or HEADERS is
/// an error of the peer's.
///
/// Keeps the last `capacity` of them; of the older ones only which was the youngest, and frames of
/// streams up to that are ignored too: we would rather ignore an error than make one.
///
/// Thread safety: none. Owns no memory before the first reset.
class ClosedStreams {
 public:
  static constexpr std::size_t capacity = 1024;

  void remember(StreamId id) {
    if (ids_.size() < capacity) {
      ids_.push_back(id);
      return;
    }
    forgotten_ = std::max(forgotten_, ids_[next_]);
    ids_[next_] = id;
    next_ = (next_ + 1) % capacity;
  }
  /// REQUIRES: the stream is closed.
  bool is_ignored(StreamId id) const noexcept {
    return id <= forgotten_ || std::ranges::find(ids_, id) != ids_.end();
  }

 private:
  std::vector<StreamId> ids_;
  std::size_t next_ = 0;  // the oldest, once all places are taken
  StreamId forgotten_ = 0;
};

}  // namespace nearcall::http2
