// SPDX-License-Identifier: Apache-2.0
// ClosedStreams: which frames may still come for streams that are gone (RFC 9113 section 5.1).
#pragma once

#include "http2/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace nearcall::inline v0::detail::http2 {

/// Remembers the streams that we reset while the peer could still send: what it had sent before it
/// knew has to be ignored. On any other closed stream nothing is on its way, and DATA or HEADERS is
/// an error of the peer's.
///
/// One bit for each of the last `window` ids of a client, up to the highest that was remembered. Of
/// what is older only the highest is known, and frames of streams up to that are ignored too: we
/// would rather ignore an error than make one.
///
/// Thread safety: none. Owns no memory before the first reset, then 1 KiB.
class ClosedStreams {
 public:
  static constexpr std::uint32_t window = 8192;

  /// REQUIRES: id is odd.
  void remember(StreamId id) {
    const std::uint32_t number = id / 2;
    const std::uint32_t word = number / bits;
    if (words_.empty()) words_.resize(window / bits);
    if (word >= end_) move_to(word + 1);
    if (word + words_.size() < end_) {
      ignored_up_to_ = std::max(ignored_up_to_, id);
    } else {
      words_[word % words_.size()] |= bit_of(number);
    }
  }
  /// REQUIRES: the stream is closed.
  bool is_ignored(StreamId id) const noexcept {
    if (id <= ignored_up_to_) return true;
    const std::uint32_t number = id / 2;
    const std::uint32_t word = number / bits;
    if (word >= end_ || word + words_.size() < end_) return false;
    return (words_[word % words_.size()] & bit_of(number)) != 0;
  }

 private:
  static constexpr std::uint32_t bits = 64;

  static std::uint64_t bit_of(std::uint32_t number) noexcept {
    return std::uint64_t{1} << (number % bits);
  }
  /// Makes room for the words up to `end`, which is higher than before.
  void move_to(std::uint32_t end) noexcept {
    const auto size = static_cast<std::uint32_t>(words_.size());
    const std::uint32_t last_to_go = std::min(end_, end - std::min(end, size));
    for (std::uint32_t word = end_ - std::min(end_, size); word < last_to_go; ++word) {
      std::uint64_t& ids = words_[word % size];
      if (ids != 0) {
        const auto highest = static_cast<std::uint32_t>(std::bit_width(ids)) - 1;
        ignored_up_to_ = std::max(ignored_up_to_, 2 * (word * bits + highest) + 1);
      }
      ids = 0;
    }
    end_ = end;
  }

  std::vector<std::uint64_t> words_;  // a ring: word w has the ids from 128 w + 1 on
  std::uint32_t end_ = 0;             // the words before it are there
  StreamId ignored_up_to_ = 0;
};

}  // namespace nearcall::inline v0::detail::http2
