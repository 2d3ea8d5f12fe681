// SPDX-License-Identifier: Apache-2.0
// For tests whose deadline has to pass, but only after something else has happened.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

namespace nearcall::test {

/// Tries with longer and longer timeouts, until one was enough for what has to happen before it
/// ends: `attempt` says whether. So a busy machine makes such a test slower, and no failure.
inline void with_enough_time(const std::function<bool(std::chrono::milliseconds)>& attempt) {
  using std::chrono::milliseconds;
  for (milliseconds timeout{1}; timeout < std::chrono::minutes(1); timeout *= 4) {
    if (attempt(timeout)) return;
  }
  ADD_FAILURE() << "it does not happen before a deadline, however late that is";
}

}  // namespace nearcall::test
