// SPDX-License-Identifier: Apache-2.0
// Bytes with one owner, and with more.
#include "base/owned_bytes.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace nearcall {
namespace {

TEST(OwnedBytes, MovesWithoutACopy) {
  OwnedBytes first = OwnedBytes::copy_of(as_bytes("hello"));
  const std::byte* const where = first.data();

  OwnedBytes second = std::move(first);

  EXPECT_EQ(second.data(), where);
  EXPECT_EQ(as_text(second.span()), "hello");
}

TEST(OwnedBytes, SharedBytesAreTheSameAndStayUntilTheLastOwnerGoes) {
  OwnedBytes first = OwnedBytes::copy_of(as_bytes("hello"));
  OwnedBytes second = first.share();
  EXPECT_EQ(first.data(), second.data());

  first = OwnedBytes();
  OwnedBytes third = second.share();
  second = OwnedBytes::copy_of(as_bytes("other"));

  EXPECT_EQ(as_text(third.span()), "hello");
}

TEST(OwnedBytes, NothingCanBeSharedToo) {
  const OwnedBytes nothing;

  EXPECT_TRUE(nothing.share().empty());
}

}  // namespace
}  // namespace nearcall
