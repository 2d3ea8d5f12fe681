// SPDX-License-Identifier: Apache-2.0
// Fuzzes a server and a channel that talk to each other: each byte of the input is a choice.
#include "fuzz/whole.hpp"
#include "simulation/simulation.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nearcall::test::fail_by_exception();
  nearcall::test::ByteChoices choices({data, size});
  nearcall::test::Simulation simulation(choices);
  while (!choices.are_used_up())
    simulation.step();
  simulation.finish();
  return 0;
}
