// SPDX-License-Identifier: Apache-2.0
// What a program says that ends because it misused the library.
#pragma once

#include <gmock/gmock.h>

#include <string>

namespace nearcall::test {

/// For EXPECT_DEATH: this sentence and nothing else, such as a file of our source.
inline testing::Matcher<const std::string&> ends_with_sentence(const std::string& sentence) {
  return testing::Eq("nearcall: precondition failed: " + sentence + "\n");
}

}  // namespace nearcall::test
