// SPDX-License-Identifier: Apache-2.0
// The table of transports that are held to the contract.
#pragma once

#include <nearcall/testing/transport_contract.hpp>

#include <iosfwd>
#include <vector>

namespace nearcall::inline v0::testing {

void PrintTo(const TransportKind& kind, std::ostream* to);

}  // namespace nearcall::inline v0::testing

namespace nearcall::test {

using testing::TransportKind;
using testing::TransportPair;

/// Whether the kernel connects virtual machines' sockets of one machine with each other.
bool has_vsock_loopback();

/// Transports of this library, and others that are unusual in one way each.
std::vector<TransportKind> transport_kinds();
/// These, and one that wakes for nothing: what drives it has to live with that, though the contract
/// allows it not.
std::vector<TransportKind> driven_kinds();

}  // namespace nearcall::test
