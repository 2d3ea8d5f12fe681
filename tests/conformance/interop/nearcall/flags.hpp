// SPDX-License-Identifier: Apache-2.0
// The flags of the interop programs: --name=value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace interop {

/// The value of --name=value, if it is there.
inline std::optional<std::string> flag(int argc, char** argv, std::string_view name) {
  const std::string start = "--" + std::string(name) + "=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument.starts_with(start)) return std::string(argument.substr(start.size()));
  }
  return std::nullopt;
}

inline constexpr const char* initial_key = "x-grpc-test-echo-initial";
inline constexpr const char* trailing_key = "x-grpc-test-echo-trailing-bin";

}  // namespace interop
