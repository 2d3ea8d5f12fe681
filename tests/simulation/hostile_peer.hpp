// SPDX-License-Identifier: Apache-2.0
// HostilePeer: says frames that are right, nearly right, or no frames at all, by choice.
#pragma once

#include "http2/session_options.hpp"
#include "simulation/choices.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nearcall::test {

namespace http2 = detail::http2;

/// What a peer that means harm may say next, as bytes. It knows gRPC well enough to reach every
/// layer: its requests name methods that exist, its responses answer calls that are open. Three of
/// four are careful: they break no rule for which the connection ends, and so last longer.
class HostilePeer {
 public:
  /// `role` is its own: a client attacks a server.
  HostilePeer(Choices& choices, http2::Role role)
      : choices_(choices),
        role_(role),
        is_careful_(!choices.one_in(4)),
        next_stream_(role == http2::Role::client ? 1 : 17) {
    for (std::uint32_t id = 1; id < next_stream_; id += 2)
      open_.push_back(id);
  }

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
  /// Notes that the peer sends nothing more on that stream; returns what frames carry then.
  std::uint8_t end_of(std::uint32_t stream);
  std::string filling(std::uint32_t most);

  Choices& choices_;
  const http2::Role role_;
  const bool is_careful_;
  /// The first that is idle.
  std::uint32_t next_stream_;
  /// Those on which it may send.
  std::vector<std::uint32_t> open_;
};

}  // namespace nearcall::test
