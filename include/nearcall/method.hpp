// SPDX-License-Identifier: Apache-2.0
// Method: one method of a service, as generated code names it.
#pragma once

#include <nearcall/version.hpp>

#include <cstdint>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// How many messages go either way.
enum class MethodKind : std::uint8_t { unary, server_streaming, client_streaming, bidi_streaming };

/// One method of a service: constants in generated code.
struct Method {
  /// "/package.Service/Method", as it goes into `:path`. Static text.
  const char* path;
  MethodKind kind;
};

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
