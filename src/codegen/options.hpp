// SPDX-License-Identifier: Apache-2.0
// Options: what protoc was told to tell the plugin (`--nearcall_opt=services=client`).
#pragma once

#include <string>
#include <variant>

namespace nearcall::codegen {

/// Which sides of a service are generated, and how.
struct Options {
  bool has_client = true;
  bool has_server = true;
  /// Messages of unary calls lie where the call, or its caller, has them.
  bool has_arenas = false;

  friend bool operator==(const Options&, const Options&) = default;
};

/// Why the options were refused; names what is allowed.
struct OptionError {
  std::string text;
};

/// Reads `services=server|client|both|none`, nothing means both; and `arenas=true|false`, nothing
/// means false.
std::variant<Options, OptionError> parse_options(const std::string& parameter);

}  // namespace nearcall::codegen
