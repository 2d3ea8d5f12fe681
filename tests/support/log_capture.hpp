// SPDX-License-Identifier: Apache-2.0
// LogCapture: holds what the library logs, and fails the test on warnings nobody asked for.
#pragma once

#include <nearcall/log.hpp>

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nearcall::test {

/// Takes the log lines of the whole process as long as it lives. In the end each warning or error
/// that was neither taken nor allowed fails the test. That a loop was occupied is always allowed:
/// on a machine with other work to do, any line of a handler can take that long.
/// Thread safety: lines may come from any thread; one capture at a time.
class LogCapture {
 public:
  explicit LogCapture(LogLevel threshold = LogLevel::info);
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// Removes the first line that contains `text`: whether there was one.
  bool take(std::string_view text);
  /// Lines that contain `text` may come, at any time, any number of them.
  void allow(std::string text);
  /// What was logged and not taken: "warning: …".
  std::vector<std::string> lines() const;

 private:
  struct Line {
    LogLevel level;
    std::string text;
  };

  bool is_allowed(const Line& line) const;

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
  std::vector<std::string> allowed_{"event loop occupied for "};
};

/// A fixture whose tests fail on unexpected warnings and errors.
class LogCheckedTest : public testing::Test {
 protected:
  LogCapture& log_capture() noexcept { return log_capture_; }

 private:
  LogCapture log_capture_;
};

}  // namespace nearcall::test
