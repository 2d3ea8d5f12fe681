// SPDX-License-Identifier: Apache-2.0
// The contract, asked of each kind in the table.
#include "support/transport_kinds.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

[[maybe_unused]] const int added = [] {
  int count = 0;
  for (const TransportKind& kind : transport_kinds())
    count += testing::add_transport_contract(kind);
  return count;
}();

TEST(TransportKinds, IncludeVsockWhereTheKernelHasItsLoopback) {
  if (!has_vsock_loopback()) GTEST_SKIP() << "this kernel has no loopback of vsock";

  EXPECT_EQ(transport_kinds().back().name, "Vsock");
}

TEST(TransportKinds, AreAskedAll) {
  constexpr int asked_of_all = 13;

  EXPECT_GE(added, asked_of_all * static_cast<int>(transport_kinds().size()));
}

}  // namespace
}  // namespace nearcall::test
