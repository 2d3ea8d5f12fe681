// SPDX-License-Identifier: Apache-2.0
// Keeping and judging of log lines.
#include "support/log_capture.hpp"

#include <algorithm>
#include <utility>

namespace nearcall::test {

LogCapture::LogCapture(LogLevel threshold) {
  set_log_handler(
      [this](LogLevel level, std::string_view line) {
        const std::lock_guard lock(mutex_);
        lines_.push_back({level, std::string(line)});
      },
      threshold);
}

LogCapture::~LogCapture() {
  set_log_handler({});
  const std::lock_guard lock(mutex_);
  for (const Line& line : lines_) {
    if (line.level < LogLevel::warning || is_allowed(line)) continue;
    ADD_FAILURE() << "unexpected " << to_string(line.level) << " in the log: " << line.text;
  }
}

bool LogCapture::take(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(lines_.begin(), lines_.end(), [text](const Line& line) {
    return line.text.find(text) != std::string::npos;
  });
  if (found == lines_.end()) return false;
  lines_.erase(found);
  return true;
}

void LogCapture::allow(std::string text) {
  const std::lock_guard lock(mutex_);
  allowed_.push_back(std::move(text));
}

std::vector<std::string> LogCapture::lines() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const Line& line : lines_) {
    all.push_back(std::string(to_string(line.level)) + ": " + line.text);
  }
  return all;
}

bool LogCapture::is_allowed(const Line& line) const {
  return std::any_of(allowed_.begin(), allowed_.end(), [&line](const std::string& text) {
    return line.text.find(text) != std::string::npos;
  });
}

}  // namespace nearcall::test
