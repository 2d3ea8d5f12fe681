// SPDX-License-Identifier: Apache-2.0
// Where the library's log lines go.
#pragma once

#include <nearcall/unique_function.hpp>

#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How much a line matters: `error` is what somebody should look at.
enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// "debug", "info", "warning", "error".
std::string_view to_string(LogLevel level);

/// Called with each line, without a newline, from whichever thread logs; must be thread safe, must
/// not block for long, and must not call into the library.
using LogHandler = UniqueFunction<void(LogLevel level, std::string_view line)>;

/// Replaces where lines of `threshold` and above go, for the whole process; an empty handler
/// restores the default: warnings and errors to stderr. Call it from any thread.
void set_log_handler(LogHandler handler, LogLevel threshold = LogLevel::info);

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
