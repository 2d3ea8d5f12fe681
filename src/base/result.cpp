// SPDX-License-Identifier: Apache-2.0
// What becomes of an OK status where an error was due.
#include "base/log.hpp"

#include <nearcall/result.hpp>

#include <utility>

namespace nearcall::inline v0::detail {

Status as_error(Status status) {
  if (!status.ok()) return status;
  constexpr const char* what = "the status OK was given where a value or an error was due";
  log(LogLevel::error, what);
  return Status::internal(what).with_reason(StatusReason::misuse);
}

}  // namespace nearcall::inline v0::detail
