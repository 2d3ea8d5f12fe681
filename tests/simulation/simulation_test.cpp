// SPDX-License-Identifier: Apache-2.0
// A whole server and a whole client under a few hundred seeds. NEARCALL_SEED repeats one of them.
#include "simulation/simulation.hpp"

#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace nearcall::test {
namespace {

struct Outcome {
  std::size_t ended = 0;
  std::size_t ok = 0;
};

Outcome simulate(std::uint64_t seed) {
  SCOPED_TRACE("NEARCALL_SEED=" + std::to_string(seed));
  SeededChoices choices(seed);
  Simulation simulation(choices);
  for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step)
    simulation.step();
  simulation.finish();
  return {simulation.calls_ended(), simulation.calls_ok()};
}

TEST(Simulation, CallsEndAsTheyMayWhateverFailsAndWhenever) {
  if (const char* const seed = std::getenv("NEARCALL_SEED")) {
    simulate(std::strtoull(seed, nullptr, 10));
    return;
  }
  Outcome all;
  const auto seeds = static_cast<std::uint64_t>(rounds(/*usual=*/200, /*soak=*/50'000));
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    const Outcome one = simulate(seed);
    all.ended += one.ended;
    all.ok += one.ok;
  }
  EXPECT_GT(all.ok, all.ended / 10) << "it has to get somewhere";
  EXPECT_LT(all.ok, all.ended * 9 / 10) << "it has to meet failures";
}

}  // namespace
}  // namespace nearcall::test
