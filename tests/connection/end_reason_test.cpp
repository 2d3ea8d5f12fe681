// SPDX-License-Identifier: Apache-2.0
// EndReason: each way to end has a name of its own.
#include "connection/end_reason.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

TEST(EndReason, EachHasAName) {
  std::set<std::string_view> names;
  int count = 0;
  for (int value = 0; value <= static_cast<int>(EndReason::evicted); ++value) {
    const std::string_view name = to_string(static_cast<EndReason>(value));
    EXPECT_NE(name, "?") << value;
    names.insert(name);
    ++count;
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
}

TEST(EndReason, NamesReadLikePartsOfALogLine) {
  EXPECT_EQ(to_string(EndReason::none), "open");
  EXPECT_EQ(to_string(EndReason::protocol_violation), "protocol violation");
}

TEST(EndReason, AValueThatIsNoneOfThemIsStillPrinted) {
  EXPECT_EQ(to_string(static_cast<EndReason>(200)), "?");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
