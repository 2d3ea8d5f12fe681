// SPDX-License-Identifier: Apache-2.0
// Which failures to reach a server may pass by themselves.
#pragma once

#include <nearcall/status.hpp>

namespace nearcall::inline v0::detail {

/// Whether who could not reach a server may the next time: gRPC's transient failure. The others
/// need somebody to mend the target, the program, the server's policy or this side's.
inline bool may_pass(const Status& status) noexcept {
  if (status.code() != StatusCode::unavailable) return false;
  switch (status.reason()) {
    case StatusReason::bad_target:
    case StatusReason::misuse:
    case StatusReason::not_grpc:
    case StatusReason::refused:
    case StatusReason::wrong_server:
      return false;
    default:
      return true;
  }
}

}  // namespace nearcall::inline v0::detail
