// SPDX-License-Identifier: Apache-2.0
// Fuzzes a whole client in memory: transport, session, streams, calls and stop, with a memory
// budget.
#include "fuzz/whole.hpp"
#include "simulation/attack.hpp"

/// The input: up to 64 choices, then the peer's bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nearcall::test::fuzz_whole<nearcall::test::AttackOnClient>({data, size});
  return 0;
}
