// SPDX-License-Identifier: Apache-2.0
// The headers that the calls of a method share.
#include "client/bound_method.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nearcall::inline v0::detail {
namespace {

TEST(BoundMethod, SaysThePathTheAuthorityAndThatItIsGrpc) {
  const BoundMethod bound = bind_method({"/a.B/C", MethodKind::unary}, "somewhere");

  const auto value = [&bound](std::string_view name) {
    for (const http2::HeaderField& field : bound.head.fields()) {
      if (field.name == name) return std::string(field.value);
    }
    return std::string("none");
  };
  EXPECT_EQ(value(":path"), "/a.B/C");
  EXPECT_EQ(value(":authority"), "somewhere");
  EXPECT_EQ(value("content-type"), "application/grpc");
  EXPECT_EQ(value("user-agent").find("nearcall-cpp/"), 0U);
}

}  // namespace
}  // namespace nearcall::inline v0::detail
