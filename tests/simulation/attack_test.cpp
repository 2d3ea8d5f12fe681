// SPDX-License-Identifier: Apache-2.0
// Hostile peers under a few hundred seeds each. NEARCALL_SEED repeats one of them.
#include "simulation/attack.hpp"

#include "support/rounds.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace nearcall::test {
namespace {

template <class Attacked>
int attack_once(std::uint64_t seed) {
  SCOPED_TRACE("NEARCALL_SEED=" + std::to_string(seed));
  SeededChoices choices(seed);
  Attacked attacked(choices);
  const int survived = attacked.run(/*steps=*/200);
  attacked.finish();
  return survived;
}

template <class Attacked>
void attack_often() {
  if (const char* const seed = std::getenv("NEARCALL_SEED")) {
    attack_once<Attacked>(std::strtoull(seed, nullptr, 10));
    return;
  }
  std::uint64_t steps = 0;
  const auto seeds = static_cast<std::uint64_t>(rounds(/*usual=*/500, /*soak=*/100'000));
  for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed)
    steps += static_cast<std::uint64_t>(attack_once<Attacked>(seed));
  EXPECT_GT(steps, seeds * 100) << "most peers last, or they reach little";
}

TEST(AttackOnServer, AHostileClientCostsLittleAndDisturbsNobody) {
  attack_often<AttackOnServer>();
}

TEST(AttackOnClient, AHostileServerCostsLittleAndHoldsNoCallPastItsDeadline) {
  attack_often<AttackOnClient>();
}

}  // namespace
}  // namespace nearcall::test
