// SPDX-License-Identifier: Apache-2.0
// Log lines from inside the library, and a limiter for those that a peer can cause.
#pragma once

#include "base/clock.hpp"

#include <nearcall/log.hpp>

#include <atomic>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string>

namespace nearcall::inline v0::detail {

/// Whether a line of this level would go anywhere. One relaxed load.
bool is_logged(LogLevel level) noexcept;

/// Hands a line to the handler. It is escaped(): peers choose parts of it.
void log_line(LogLevel level, std::string_view line);

/// log(LogLevel::warning, "accept: ", error.message()): builds the line only if it is logged.
template <class... Parts>
void log(LogLevel level, const Parts&... parts) {
  if (!is_logged(level)) return;
  std::ostringstream text;
  (text << ... << parts);
  log_line(level, text.str());
}

/// At most one line a second from one place; counts what it swallowed.
///
/// Thread safety: any thread.
class LogLimiter {
 public:
  /// The number of lines swallowed since the last one, if a line may go out at `now`; else nothing.
  std::optional<std::uint64_t> admit(TimePoint now) noexcept;

 private:
  /// When the next line may go out, in ns of the steady clock: 0 at first, only grows.
  std::atomic<std::int64_t> next_{0};
  /// Lines swallowed since the last one went out.
  std::atomic<std::uint64_t> swallowed_{0};
};

}  // namespace nearcall::inline v0::detail
