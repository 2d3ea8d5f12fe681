// SPDX-License-Identifier: Apache-2.0
// How a stage ends.
#include "server/call_stage.hpp"

#include "base/log.hpp"

#include <exception>

namespace nearcall::inline v0::detail {

void RunningStage::complete(HandlerCall& call) noexcept {
  RunningStage& self = of(call);
  const Done done = self.done_;
  const Status answer = self.take_answer();
  self.~RunningStage();
  done(call, answer);
}

Status RunningStage::take_answer() noexcept {
  try {
    return detail::take_result(task_);
  } catch (...) {
    return answer_exception();
  }
}

Status RunningStage::answer_exception() noexcept {
  try {
    throw;
  } catch (const std::exception& error) {
    log(LogLevel::error, "a stage before a handler threw: ", error.what());
  } catch (...) {
    log(LogLevel::error, "a stage before a handler threw something that is no std::exception");
  }
  return Status::unknown("the server failed before the call's handler began");
}

}  // namespace nearcall::inline v0::detail
