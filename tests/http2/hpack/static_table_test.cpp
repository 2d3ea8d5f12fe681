// SPDX-License-Identifier: Apache-2.0
// The static table: its ends, and that what is in it is found.
#include "http2/hpack/static_table.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(StaticTable, HasTheEntriesOfAppendixA) {
  EXPECT_EQ(static_table_entry(1), (HeaderView{":authority", ""}));
  EXPECT_EQ(static_table_entry(3), (HeaderView{":method", "POST"}));
  EXPECT_EQ(static_table_entry(16), (HeaderView{"accept-encoding", "gzip, deflate"}));
  EXPECT_EQ(static_table_entry(31), (HeaderView{"content-type", ""}));
  EXPECT_EQ(static_table_entry(58), (HeaderView{"user-agent", ""}));
  EXPECT_EQ(static_table_entry(61), (HeaderView{"www-authenticate", ""}));
}

TEST(StaticTable, FindsEachOfItsEntries) {
  for (std::uint32_t index = 1; index <= static_table_size; ++index) {
    const HeaderView& entry = static_table_entry(index);

    const TableMatch match = find_in_static_table(entry.name, entry.value);

    EXPECT_EQ(match.index, index);
    EXPECT_TRUE(match.is_exact);
  }
}

TEST(StaticTable, FindsTheFirstEntryOfANameWhenNoValueMatches) {
  EXPECT_EQ(find_in_static_table(":path", "/package.Service/Method").index, 4U);
  EXPECT_FALSE(find_in_static_table(":path", "/package.Service/Method").is_exact);
  EXPECT_EQ(find_in_static_table(":status", "599").index, 8U);
  EXPECT_EQ(find_in_static_table("www-authenticate", "x").index, 61U);
}

TEST(StaticTable, DoesNotFindOtherNames) {
  for (const std::string_view name :
       {"", "x", "te", "grpc-timeout", ":Path", "content-typ", "content-typo", "accept-"}) {
    EXPECT_EQ(find_in_static_table(name, "").index, 0U) << name;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
