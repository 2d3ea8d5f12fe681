// SPDX-License-Identifier: Apache-2.0
// A whole server and a whole client under a few hundred seeds. NEARCALL_SEED repeats one of them.
#include "simulation/simulation.hpp"

#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace nearcall::test {
namespace {

Simulation::Seen simulate(std::uint64_t seed) {
  SCOPED_TRACE("NEARCALL_SEED=" + std::to_string(seed));
  SeededChoices choices(seed);
  Simulation simulation(choices);
  for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step)
    simulation.step();
  simulation.finish();
  return simulation.seen();
}

TEST(Simulation, CallsEndAsTheyMayWhateverFailsAndWhenever) {
  if (const char* const seed = std::getenv("NEARCALL_SEED")) {
    simulate(std::strtoull(seed, nullptr, 10));
    return;
  }
  Simulation::Seen all;
  const auto seeds = static_cast<std::uint64_t>(rounds(/*usual=*/200, /*soak=*/50'000));
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    const Simulation::Seen one = simulate(seed);
    all.calls += one.calls;
    all.ok += one.ok;
    all.refused_by_policy += one.refused_by_policy;
    all.evictions += one.evictions;
    all.servers += one.servers;
  }
  EXPECT_GT(all.ok, all.calls / 10) << "it has to get somewhere";
  EXPECT_LT(all.ok, all.calls * 9 / 10) << "it has to meet failures";
  EXPECT_GT(all.refused_by_policy, 0U);
  EXPECT_GT(all.evictions, 0U);
  EXPECT_GT(all.servers, seeds * 5 / 4) << "servers have to stop in the middle";
}

}  // namespace
}  // namespace nearcall::test
