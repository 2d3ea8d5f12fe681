// SPDX-License-Identifier: Apache-2.0
// TransportKind: what a suite has to know of a transport that it holds to its contract.
#pragma once

#include <nearcall/transport.hpp>

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nearcall::test {

using TransportPair = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

/// One kind of transport: how to make two connected ends, and what it promises of what need not be.
/// TransportContract holds it to transport.hpp alone, DriverContract under those who drive it.
struct TransportKind {
  /// A part of the names of tests: letters and digits.
  std::string name;
  /// Both ends, before the handshake.
  std::function<TransportPair()> make;
  /// Transport::writes_fail_after_close().
  bool writes_fail_after_close = true;
  /// What the peer wrote before it closed can be read after a write has failed.
  bool keeps_input_of_closed = true;
  /// A wait whose direction is not ready does not end.
  bool wakes_only_when_ready = true;
};

void PrintTo(const TransportKind& kind, std::ostream* to);

/// Whether the kernel connects virtual machines' sockets of one machine with each other.
bool has_vsock_loopback();

/// The table: transports of this library, and others that are unusual in one way each.
std::vector<TransportKind> transport_kinds();

/// Takes both ends through their handshakes.
TransportPair shake_hands(TransportPair ends);

}  // namespace nearcall::test
