// SPDX-License-Identifier: Apache-2.0
// What two servers say to each other while one takes a listening socket over from the other.
#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace nearcall::inline v0::detail {

/// One byte each, on a Unix stream socket. Decision 016 says who sends which when.
enum class TakeoverMessage : char {
  /// Of the one that listens, with descriptors. Its number is that of the protocol.
  offer = '1',
  /// Of the one that takes over: it is about to accept.
  take = 't',
  /// Of the one that listened: it owns nothing any more.
  yours = 'y',
  /// Of the one that listens: what it has offered is of no use, and it owns all of it.
  withdrawn = 'w',
};

/// What a read of a takeover's socket brings.
struct TakeoverNews {
  /// `ended`: the peer has closed it, or died, and had read all that it was told. `broken`: it had
  /// not, or something else failed.
  enum class Kind : std::uint8_t { nothing, message, ended, broken };

  Kind kind = Kind::nothing;
  TakeoverMessage message{};
  std::vector<UniqueFd> descriptors;
  /// More were sent than this process, or an offer, has room for.
  bool is_short_of_room = false;
};

/// False: the peer is gone, or takes nothing. Does not wait.
bool send_takeover(int socket, TakeoverMessage message, std::span<const int> descriptors = {});
/// Does not wait.
TakeoverNews receive_takeover(int socket);

}  // namespace nearcall::inline v0::detail
