// SPDX-License-Identifier: Apache-2.0
// The log hook: thresholds, escaping, and at most one line a second from one place.
#include "base/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using testing::ElementsAre;

class Log : public testing::Test {
 protected:
  void capture(LogLevel threshold) {
    set_log_handler([this](LogLevel, std::string_view line) { lines_.emplace_back(line); },
                    threshold);
  }
  void TearDown() override { set_log_handler({}); }

  std::vector<std::string> lines_;
};

TEST_F(Log, LinesBelowTheThresholdGoNowhere) {
  capture(LogLevel::warning);

  log(LogLevel::info, "quiet");
  log(LogLevel::warning, "loud ", 7);

  EXPECT_THAT(lines_, ElementsAre("loud 7"));
}

TEST_F(Log, ControlCharactersOfAPeerAndWhatIsNoUtf8AreEscaped) {
  capture(LogLevel::info);

  log(LogLevel::info, "peer said \"", "a\nb\x1b[31m\xff\xc2\x9b", "\"");

  EXPECT_THAT(lines_, ElementsAre("peer said \"a\\x0ab\\x1b[31m\\xff\\xc2\\x9b\""));
}

TEST(LogLimiter, AdmitsOneLineASecondAndCountsTheRest) {
  using namespace std::chrono_literals;
  LogLimiter limiter;
  const TimePoint start = TimePoint(10s);

  EXPECT_EQ(limiter.admit(start), 0U);
  EXPECT_EQ(limiter.admit(start + 1ms), std::nullopt);
  EXPECT_EQ(limiter.admit(start + 999ms), std::nullopt);
  EXPECT_EQ(limiter.admit(start + 1s), 2U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
