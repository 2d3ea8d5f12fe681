// SPDX-License-Identifier: Apache-2.0
// The numbers and names that the interop contract fixes, and the flags of both peer programs.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace interop {

inline constexpr int large_request = 271828;
inline constexpr int large_response = 314159;
inline constexpr std::array request_sizes = {27182, 8, 1828, 45904};
inline constexpr std::array response_sizes = {31415, 9, 2653, 58979};
inline constexpr const char* initial_key = "x-grpc-test-echo-initial";
inline constexpr const char* initial_value = "test_initial_metadata_value";
inline constexpr const char* trailing_key = "x-grpc-test-echo-trailing-bin";
inline constexpr const char* trailing_value = "\xab\xab\xab";
inline constexpr const char* status_message = "test status message";
inline constexpr const char* special_message =
    "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n";

/// The value of `--name=value`, or nothing.
inline std::optional<std::string> flag(int argc, char** argv, std::string_view name) {
  const std::string prefix = "--" + std::string(name) + "=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view given = argv[i];
    if (given.starts_with(prefix)) return std::string(given.substr(prefix.size()));
  }
  return std::nullopt;
}

}  // namespace interop
