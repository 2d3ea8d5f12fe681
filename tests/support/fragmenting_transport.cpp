// SPDX-License-Identifier: Apache-2.0
// Cutting of reads and writes.
#include "support/fragmenting_transport.hpp"

#include <algorithm>
#include <vector>

namespace nearcall::test {

IoResult FragmentingTransport::try_read(std::span<std::byte> into) {
  return inner().try_read(into.first(std::min(into.size(), at_most_)));
}

IoResult FragmentingTransport::try_write(std::span<const iovec> from) {
  std::vector<iovec> pieces;
  std::size_t room = at_most_;
  for (const iovec& piece : from) {
    if (room == 0) break;
    pieces.push_back({piece.iov_base, std::min(piece.iov_len, room)});
    room -= pieces.back().iov_len;
  }
  return inner().try_write(pieces);
}

}  // namespace nearcall::test
