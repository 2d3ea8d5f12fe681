// SPDX-License-Identifier: Apache-2.0
// The contract of Transport as tests, for transports of your own.
#pragma once

#include <nearcall/transport.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

/// GoogleTest's.
namespace testing {}

#pragma GCC visibility push(default)  // what a shared library exports

namespace nearcall::inline v0::testing {

/// So that `testing::Test` within namespace nearcall is still GoogleTest's. After `using namespace
/// nearcall;` at file scope it is ambiguous: write `::testing::Test` there.
using namespace ::testing;

/// Two transports, each the peer of the other.
using TransportPair = std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>>;

/// One kind of transport: how to make two connected ends, and what it promises of what need not be.
struct TransportKind {
  /// A part of the names of tests: letters and digits.
  std::string name;
  /// Both ends, before the handshake. Called once a test.
  std::function<TransportPair()> make;
  /// Transport::writes_fail_after_close().
  bool writes_fail_after_close = true;
  /// What the peer wrote before it closed can be read after a write has failed.
  bool keeps_input_of_closed = true;
  /// How long both handshakes together may take, and how long a writer may be told that there is
  /// room where there is none.
  std::chrono::milliseconds patience = std::chrono::seconds(10);
};

/// Registers the tests of one kind, such as "TransportContract.AbortIsSeenByThePeer/MyRing". Call
/// it before RUN_ALL_TESTS(), or to initialize a variable where GoogleTest's own main() is linked;
/// it gives how many tests there are. Of a kind that does not promise something, what tests that is
/// left out.
int add_transport_contract(const TransportKind& kind);

}  // namespace nearcall::inline v0::testing

#pragma GCC visibility pop
