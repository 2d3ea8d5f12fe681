// SPDX-License-Identifier: Apache-2.0
// How often a test repeats itself: as often as ten seconds allow, or as ./test soak has time for.
#pragma once

#include "support/sanitized.hpp"

#include <cstdlib>

namespace nearcall::test {

/// `usual`; a tenth of it with sanitizers, which make everything slow; `soak` in ./test soak.
inline int rounds(int usual, int soak) {
  if (std::getenv("NEARCALL_SOAK") != nullptr) return soak;
  return is_sanitized ? (usual + 9) / 10 : usual;
}

}  // namespace nearcall::test
