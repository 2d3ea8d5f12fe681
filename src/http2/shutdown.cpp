// SPDX-License-Identifier: Apache-2.0
// Shutdown: the peer's GOAWAY.
#include "http2/shutdown.hpp"

namespace nearcall::inline v0::detail::http2 {

Result<void, Violation> Shutdown::receive(StreamId last, ErrorCode code) noexcept {
  if (last > their_last_) {
    return connection_error(ErrorCode::protocol_error, "GOAWAY with a higher last id");
  }
  theirs_ = Theirs::leaving;
  their_last_ = last;
  their_code_ = code;
  return {};
}

}  // namespace nearcall::inline v0::detail::http2
