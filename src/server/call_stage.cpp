// SPDX-License-Identifier: Apache-2.0
// How a stage ends.
#include "server/call_stage.hpp"

#include "base/log.hpp"

#include <exception>

namespace nearcall::inline v0::detail {

Status RunningStage::answer() noexcept {
  try {
    return detail::take_result(task_);
  } catch (const std::exception& error) {
    log(LogLevel::error, "a stage before a handler threw: ", error.what());
  } catch (...) {
    log(LogLevel::error, "a stage before a handler threw something that is no std::exception");
  }
  return Status::unknown("the server failed before the call's handler began");
}

}  // namespace nearcall::inline v0::detail
