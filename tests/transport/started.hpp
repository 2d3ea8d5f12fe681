// SPDX-License-Identifier: Apache-2.0
// Children that run a line of shell, for tests.
#pragma once

#include "transport/started_process.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <utility>

namespace nearcall::test {

/// Gets no time to end by itself.
inline detail::ProcessPlan shell(std::string script) {
  detail::ProcessPlan plan;
  plan.command = {"/bin/sh", "-c", std::move(script)};
  return plan;
}

inline std::shared_ptr<detail::StartedProcess> started(std::string script) {
  auto process = detail::StartedProcess::start(shell(std::move(script)), "x");
  EXPECT_TRUE(process) << process.status().to_string();
  return *process;
}

/// Waits for its end, and says how it ended.
inline std::string end_of(detail::StartedProcess& process) {
  pollfd watched{process.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
  const auto end = process.end();
  return end ? end->message() : "it runs";
}

}  // namespace nearcall::test
