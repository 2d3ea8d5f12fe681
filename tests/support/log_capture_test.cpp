// SPDX-License-Identifier: Apache-2.0
// LogCapture: what it lets pass, and what fails a test.
#include "support/log_capture.hpp"

#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <optional>

namespace nearcall::test {
namespace {

using testing::ElementsAre;

TEST(LogCapture, UnexpectedWarningFailsTheTest) {
  std::optional<LogCapture> capture(std::in_place);
  detail::log(LogLevel::warning, "something is odd");

  EXPECT_NONFATAL_FAILURE(capture.reset(), "unexpected warning in the log: something is odd");
}

TEST(LogCapture, TakenAllowedAndInformativeLinesPass) {
  LogCapture capture;
  capture.allow("backlog");
  detail::log(LogLevel::error, "accept: too many");
  detail::log(LogLevel::warning, "the backlog is full");
  detail::log(LogLevel::info, "listening");

  EXPECT_TRUE(capture.take("accept"));
  EXPECT_FALSE(capture.take("accept"));
  EXPECT_THAT(capture.lines(), ElementsAre("warning: the backlog is full", "info: listening"));
}

}  // namespace
}  // namespace nearcall::test
