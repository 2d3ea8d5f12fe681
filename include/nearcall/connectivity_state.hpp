// SPDX-License-Identifier: Apache-2.0
// ConnectivityState: whether a channel's server can be reached.
#pragma once

#include <nearcall/version.hpp>

#include <cstdint>
#include <string_view>

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0 {

/// Whether a channel's server can be reached, as gRPC's connectivity-semantics-and-api.md has it.
enum class ConnectivityState : std::uint8_t {
  /// There is no connection, and nobody tries to make one.
  idle,
  /// One is being made, or the server has not said anything on it yet.
  connecting,
  /// There is one on which the server was heard.
  ready,
  /// There is none, and the last attempt failed.
  transient_failure,
  /// There will be none: the target is wrong.
  shutdown,
};

/// The name of a state as gRPC spells it: "TRANSIENT_FAILURE".
std::string_view to_string(ConnectivityState state);

}  // namespace nearcall::inline v0

#pragma GCC visibility pop
