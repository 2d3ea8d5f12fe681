// SPDX-License-Identifier: Apache-2.0
// FrameOrder: what is wrong with a frame that comes too early, or in between.
#include "http2/frame_order.hpp"

#include "http2/frame_rules.hpp"

namespace nearcall::inline v0::detail::http2 {

Result<void, Violation> FrameOrder::check_slowly(const FrameHeader& header,
                                                 const std::byte* raw) const {
  switch (state_) {
    case State::first:
      return check_first_frame(header, raw);
    case State::between:
      return connection_error(ErrorCode::protocol_error,
                              "CONTINUATION without an open header block");
    case State::in_block:
      if (header.type != FrameType::continuation) {
        return connection_error(ErrorCode::protocol_error, "a frame inside a header block");
      }
      if (header.stream != open_block_) {
        return connection_error(ErrorCode::protocol_error, "CONTINUATION of another stream");
      }
      return {};
  }
  return {};
}

}  // namespace nearcall::inline v0::detail::http2
