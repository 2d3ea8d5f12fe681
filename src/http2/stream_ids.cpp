// SPDX-License-Identifier: Apache-2.0
// StreamIds: what an id stands for whose stream is not there.
#include "http2/stream_ids.hpp"

namespace nearcall::inline v0::detail::http2 {

StreamIds::Absent StreamIds::absent(StreamId id) const noexcept {
  if (is_idle(id) || (id >= skipped_from_ && id <= skipped_to_)) return Absent::idle;
  return reset_.is_ignored(id) ? Absent::ignored : Absent::closed;
}

}  // namespace nearcall::inline v0::detail::http2
