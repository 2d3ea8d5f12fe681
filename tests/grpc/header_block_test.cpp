// SPDX-License-Identifier: Apache-2.0
// HeaderBlock: order, and values that stay where they are until clear().
#include "grpc/header_block.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

TEST(HeaderBlock, KeepsFieldsInOrder) {
  HeaderBlock block;

  block.add("a", "1");
  block.add("b", "2");
  block.add("a", "3");

  const std::vector<HeaderView> fields(block.fields().begin(), block.fields().end());
  EXPECT_EQ(fields, (std::vector<HeaderView>{{"a", "1"}, {"b", "2"}, {"a", "3"}}));
}

TEST(HeaderBlock, KeptTextStaysValidHoweverMuchFollows) {
  HeaderBlock block;
  std::vector<std::string> originals;
  for (std::size_t i = 0; i < 200; ++i) {
    originals.push_back(std::string(i * 13 % 2000, static_cast<char>('a' + i % 26)));
    block.add("key", block.keep(originals.back()));
  }

  for (std::size_t i = 0; i < originals.size(); ++i) {
    EXPECT_EQ(block.fields()[i].value, originals[i]);
  }
}

TEST(HeaderBlock, IsEmptyAfterClearAndUsableAgain) {
  HeaderBlock block;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) {
      block.add("key", block.keep(std::string(100, 'x')));
    }
    EXPECT_EQ(block.fields().size(), 100U);

    block.clear();

    EXPECT_TRUE(block.fields().empty());
  }
  block.add("key", block.keep("y"));
  EXPECT_EQ(block.fields()[0], (HeaderView{"key", "y"}));
}

TEST(HeaderBlock, ClearKeepsTheMemoryOfShortListsOnly) {
  HeaderBlock block;
  const auto has_room_for = [&block](int count) {
    block.clear();
    block.add("a", "b");
    const HeaderView* const first = block.fields().data();
    for (int i = 1; i < count; ++i)
      block.add("a", "b");
    return block.fields().data() == first;
  };
  EXPECT_FALSE(has_room_for(50));
  EXPECT_TRUE(has_room_for(50));

  EXPECT_FALSE(has_room_for(1000));
  EXPECT_FALSE(has_room_for(1000));
}

TEST(HeaderBlock, ScratchMemoryDoesNotOverlap) {
  HeaderBlock block;
  std::vector<char*> pieces;
  for (std::size_t i = 0; i < 100; ++i) {
    pieces.push_back(block.scratch(33));
    std::fill_n(pieces.back(), 33, static_cast<char>(i));
  }

  for (std::size_t i = 0; i < pieces.size(); ++i) {
    EXPECT_EQ(std::string(pieces[i], 33), std::string(33, static_cast<char>(i)));
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
