// SPDX-License-Identifier: Apache-2.0
// HostilePeer: says frames that are right, nearly right, or no frames at all, by choice.
#pragma once

#include "http2/session_options.hpp"
#include "simulation/choices.hpp"

#include <cstdint>
#include <string>

namespace nearcall::test {

/// What a peer that means harm may say next, as bytes. It knows gRPC well enough to reach every
/// layer: its requests name methods that exist, its responses answer calls that are open.
class HostilePeer {
 public:
  /// `role` is its own: a client attacks a server.
  HostilePeer(Choices& choices, http2::Role role) noexcept : choices_(choices), role_(role) {}

  /// Preface and SETTINGS, nearly always good ones.
  std::string hello();
  std::string next();

 private:
  std::string head();
  std::string fields();
  std::string message();
  std::string setting();
  std::string rare();
  std::uint32_t stream();
  std::string filling(std::uint32_t most);

  Choices& choices_;
  const http2::Role role_;
  std::uint32_t next_stream_ = 1;
};

}  // namespace nearcall::test
