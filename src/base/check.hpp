// SPDX-License-Identifier: Apache-2.0
// CHECK: stops the program where it is wrong, and says what the operands were.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {

/// Writes "file:line: CHECK(condition) failed: operands" to stderr and aborts.
[[noreturn]] void check_failed(const char* file,
                               int line,
                               const char* condition,
                               const std::string& operands) noexcept;

template <class... Operands>
[[noreturn]] void check_failed_with(const char* file,
                                    int line,
                                    const char* condition,
                                    const Operands&... operands) noexcept {
  std::ostringstream text;
  std::string_view separator;
  ((text << separator << operands, separator = ", "), ...);
  check_failed(file, line, condition, text.str());
}

}  // namespace nearcall::inline v0::detail

/// CHECK(condition, operands…): our own bug when it fails; prints the operands and aborts. Stays on
/// in release builds, so the condition must be cheap. Never reachable from the wire.
#define CHECK(condition, ...)                                      \
  (__builtin_expect(static_cast<bool>(condition), 1)               \
       ? static_cast<void>(0)                                      \
       : ::nearcall::detail::check_failed_with(__FILE__, __LINE__, \
                                               #condition __VA_OPT__(, ) __VA_ARGS__))
