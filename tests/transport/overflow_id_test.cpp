// SPDX-License-Identifier: Apache-2.0
// Overflow ids: which maps leave room for strangers.
#include "transport/overflow_id.hpp"

#include <gtest/gtest.h>

namespace nearcall::inline v0::detail {
namespace {

TEST(OverflowId, MapOfTheFirstNamespaceHasAllIds) {
  EXPECT_TRUE(maps_all_ids("         0          0 4294967295\n"));
}

TEST(OverflowId, MapInPiecesMayHaveAllIds) {
  EXPECT_TRUE(maps_all_ids("0 100000 65536\n65536 165536 4294901759\n"));
}

TEST(OverflowId, MapOfAContainerDoesNot) {
  EXPECT_FALSE(maps_all_ids("0 100000 65536\n"));
  EXPECT_FALSE(maps_all_ids("0 1000 1\n"));
}

TEST(OverflowId, WhatCannotBeReadMapsNobody) {
  EXPECT_FALSE(maps_all_ids(""));
  EXPECT_FALSE(maps_all_ids("what is this"));
}

TEST(OverflowId, NoOtherIdStandsForAnybody) {
  EXPECT_FALSE(may_be_any_user(0));
  EXPECT_FALSE(may_be_any_user(65533));
  EXPECT_FALSE(may_be_any_group(1000));
}

}  // namespace
}  // namespace nearcall::inline v0::detail
