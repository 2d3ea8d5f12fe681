// SPDX-License-Identifier: Apache-2.0
// The content-type of gRPC, and its neighbours that are not.
#include "grpc/content_type.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail::grpc {
namespace {

TEST(ContentType, GivesWhatFollowsThePlus) {
  EXPECT_EQ(content_subtype("application/grpc"), "");
  EXPECT_EQ(content_subtype("application/grpc+proto"), "proto");
  EXPECT_EQ(content_subtype("application/grpc+json;charset=utf-8"), "json");
  EXPECT_EQ(content_subtype("application/grpc;charset=utf-8"), "");
  EXPECT_EQ(content_subtype("application/grpc ; charset=utf-8"), "");
}

TEST(ContentType, IgnoresCase) {
  EXPECT_EQ(content_subtype("Application/gRPC+proto"), "proto");
}

TEST(ContentType, RefusesEveryOtherType) {
  for (const char* value :
       {"", "application/grp", "application/grpc-web", "application/grpc-web+proto",
        "application/grpcx", "application/json", "text/html", " application/grpc", "grpc",
        "application/grpc,application/grpc"}) {
    EXPECT_EQ(content_subtype(value), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
