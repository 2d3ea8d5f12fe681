// SPDX-License-Identifier: Apache-2.0
// HeapBlock: what a thread keeps, how much, and for whom.
#include "base/heap_block.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

class HeapBlocks : public testing::Test {
 protected:
  HeapBlocks() { HeapBlock::trim(); }
  ~HeapBlocks() override { HeapBlock::trim(); }
};

TEST_F(HeapBlocks, ALargeBlockIsUsedAgainForOneOfAboutItsSize) {
  const std::byte* first = nullptr;
  {
    const HeapBlock block(mebibyte + 5);
    first = block.data();
  }

  const HeapBlock next(mebibyte - 5);

  EXPECT_EQ(next.data(), first);
  EXPECT_EQ(HeapBlock::kept_bytes(), 0U);
}

TEST_F(HeapBlocks, ASmallBlockIsNotKept) {
  { const HeapBlock block(HeapBlock::large - 1); }

  EXPECT_EQ(HeapBlock::kept_bytes(), 0U);
}

TEST_F(HeapBlocks, ABlockManyTimesTooLargeStaysWhereItIs) {
  { const HeapBlock block(mebibyte); }

  EXPECT_TRUE(HeapBlock::kept(HeapBlock::large).empty());
  EXPECT_TRUE(HeapBlock::kept(mebibyte + 1).empty());
  EXPECT_EQ(HeapBlock::kept(mebibyte).size(), mebibyte);
}

TEST_F(HeapBlocks, TheSmallestThatFitsIsTaken) {
  std::vector<HeapBlock> blocks;
  for (const std::size_t size : {5U, 3U, 4U}) {
    blocks.emplace_back(size * HeapBlock::large);
  }
  blocks.clear();

  const HeapBlock first = HeapBlock::kept(3 * HeapBlock::large - 1);
  const HeapBlock second = HeapBlock::kept(3 * HeapBlock::large - 1);

  EXPECT_EQ(first.size(), 3 * HeapBlock::large);
  EXPECT_EQ(second.size(), 4 * HeapBlock::large);
}

TEST_F(HeapBlocks, NoMoreThanTheLimitsAreKept) {
  std::vector<HeapBlock> blocks;
  for (std::size_t i = 0; i < HeapBlock::max_kept_blocks + 1; ++i) {
    blocks.emplace_back(HeapBlock::large);
  }
  blocks.clear();
  EXPECT_EQ(HeapBlock::kept_bytes(), HeapBlock::max_kept_blocks * HeapBlock::large);

  { const HeapBlock block(HeapBlock::max_kept_bytes); }
  EXPECT_EQ(HeapBlock::kept_bytes(), HeapBlock::max_kept_bytes);

  { const HeapBlock block(HeapBlock::max_kept_bytes + 1); }
  EXPECT_EQ(HeapBlock::kept_bytes(), HeapBlock::max_kept_bytes);
}

TEST_F(HeapBlocks, OnlyWhatWasNotUsedSinceTheLastLookIsTrimmed) {
  { const HeapBlock block(mebibyte); }
  HeapBlock::trim_unused();
  { const HeapBlock block(mebibyte); }
  HeapBlock::trim_unused();
  EXPECT_EQ(HeapBlock::kept_bytes(), mebibyte);

  HeapBlock::trim_unused();
  EXPECT_EQ(HeapBlock::kept_bytes(), 0U);
}

TEST_F(HeapBlocks, GrowsWithWhatIsInIt) {
  HeapBlock block(10);
  std::memcpy(block.data(), "123456789", 10);

  block.grow(mebibyte);

  EXPECT_GE(block.size(), mebibyte);
  EXPECT_STREQ(reinterpret_cast<const char*>(block.data()), "123456789");
}

TEST_F(HeapBlocks, IsKeptByTheThreadThatLetsItGo) {
  std::size_t kept = 0;
  HeapBlock block(mebibyte);

  std::thread([&kept, mine = std::move(block)]() mutable {
    mine = HeapBlock();
    kept = HeapBlock::kept_bytes();
  }).join();

  EXPECT_EQ(kept, mebibyte);
  EXPECT_EQ(HeapBlock::kept_bytes(), 0U);
}

TEST_F(HeapBlocks, WhatGoesAfterItsThreadsStockIsFreed) {
  struct Late {
    HeapBlock block;
  };
  std::thread([] {
    static thread_local Late late;  // made before the stock's end is planned, so it goes after it
    { const HeapBlock first(mebibyte); }
    late.block = HeapBlock(mebibyte);
  }).join();
}

}  // namespace
}  // namespace nearcall::inline v0::detail
