// SPDX-License-Identifier: Apache-2.0
// Long paths: what can be one.
#include "transport/socket_path.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nearcall::inline v0::detail {
namespace {

TEST(SocketPath, MayHave4095BytesAndPartsOf255) {
  const std::string part(255, 'x');
  std::string longest;
  for (int i = 0; i < 15; ++i)
    longest += "/" + part;
  longest += "/" + std::string(254, 'y');
  ASSERT_EQ(longest.size(), 4095U);

  EXPECT_EQ(socket_path_problem(longest), "");
  EXPECT_EQ(socket_path_problem(longest + "y"), "the path has 4096 bytes, the limit is 4095");
  EXPECT_EQ(socket_path_problem(part), "");
  EXPECT_EQ(socket_path_problem("a/" + part + "x/b"),
            "a part of the path has 256 bytes, the limit is 255");
}

TEST(SocketPath, HashIsTheSameEachTime) {
  EXPECT_EQ(short_hash(""), "cbf29ce484222325");
  EXPECT_EQ(short_hash("a"), "af63dc4c8601ec8c");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
