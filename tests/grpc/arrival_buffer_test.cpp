// SPDX-License-Identifier: Apache-2.0
// ArrivalBuffer: memory follows what arrived, and both ways in give the same bytes.
#include "grpc/arrival_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

constexpr std::size_t first_capacity = ArrivalBuffer::first_capacity;
constexpr std::size_t idle_capacity = ArrivalBuffer::idle_capacity;

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  }
  return bytes;
}

bool holds(const ArrivalBuffer& buffer, const std::vector<std::byte>& expected) {
  return std::ranges::equal(buffer.bytes(), expected);
}

TEST(ArrivalBuffer, AnAnnouncedLengthCostsNothing) {
  ArrivalBuffer buffer;

  buffer.expect(std::size_t{4} << 30U);

  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_EQ(buffer.missing(), std::size_t{4} << 30U);
}

TEST(ArrivalBuffer, CapacityFollowsWhatArrivedAtEveryStep) {
  for (const std::size_t step : {1000U, 65'536U, 100'000U}) {
    const std::vector<std::byte> message = pattern(1'000'000);
    HeapBlock::trim();
    ArrivalBuffer buffer;
    buffer.expect(message.size());
    for (std::size_t at = 0; at < message.size(); at += step) {
      buffer.append(ByteSpan(message).subspan(at, std::min(step, message.size() - at)));
      EXPECT_LE(buffer.capacity(), std::max(first_capacity, 2 * buffer.size()));
    }
    EXPECT_TRUE(holds(buffer, message));
  }
}

TEST(ArrivalBuffer, TheFreeTailIsNeverEmptyWhileBytesAreMissing) {
  const std::vector<std::byte> message = pattern(700'000);
  HeapBlock::trim();
  ArrivalBuffer buffer;
  buffer.expect(message.size());

  while (buffer.missing() != 0) {
    const MutableByteSpan tail = buffer.free_tail();
    ASSERT_FALSE(tail.empty());
    ASSERT_LE(tail.size(), buffer.missing());
    ASSERT_LE(buffer.capacity(), std::max(first_capacity, 2 * buffer.size()));
    const std::size_t count = std::min<std::size_t>(tail.size(), 50'000);
    std::ranges::copy(ByteSpan(message).subspan(buffer.size(), count), tail.begin());
    buffer.advance(count);
  }

  EXPECT_TRUE(buffer.free_tail().empty());
  EXPECT_TRUE(holds(buffer, message));
}

TEST(ArrivalBuffer, ALargeMessageUsesTheBlockOfTheOneBefore) {
  const std::vector<std::byte> message = pattern(700'000);
  ArrivalBuffer buffer;
  buffer.expect(message.size());
  buffer.append(message);
  const std::byte* const block = buffer.bytes().data();

  buffer.expect(message.size());
  buffer.append(ByteSpan(message).first(100));

  EXPECT_EQ(buffer.bytes().data(), block);
  EXPECT_EQ(buffer.free_tail().size(), message.size() - 100);
}

TEST(ArrivalBuffer, AnnouncedLengthsTakeNoMoreThanWhatWasKept) {
  HeapBlock::trim();
  { const HeapBlock block(1'000'000); }
  const std::size_t kept = HeapBlock::kept_bytes();
  std::vector<ArrivalBuffer> buffers(10);
  std::size_t taken = 0;

  for (ArrivalBuffer& buffer : buffers) {
    buffer.expect(1'000'000);
    buffer.append(pattern(1));
    taken += buffer.capacity();
  }

  EXPECT_EQ(taken, kept + 9 * first_capacity);
}

TEST(ArrivalBuffer, TakesNoMoreThanTheMessage) {
  const std::vector<std::byte> bytes = pattern(10);
  ArrivalBuffer buffer;
  buffer.expect(7);

  EXPECT_EQ(buffer.append(bytes), 7U);
  EXPECT_EQ(buffer.append(bytes), 0U);

  EXPECT_EQ(buffer.size(), 7U);
  EXPECT_LE(buffer.capacity(), 7U);
}

TEST(ArrivalBuffer, ASmallBlockIsKeptForTheNextMessageAndALargeOneIsNot) {
  ArrivalBuffer buffer;
  buffer.expect(idle_capacity);
  buffer.append(pattern(idle_capacity));

  buffer.expect(10);
  EXPECT_EQ(buffer.capacity(), idle_capacity);

  buffer.expect(idle_capacity + 1);
  buffer.append(pattern(idle_capacity + 1));
  buffer.expect(10);
  EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(ArrivalBuffer, AKeptBlockOffersNoMoreThanTheMessageNeeds) {
  ArrivalBuffer buffer;
  buffer.expect(1000);
  buffer.append(pattern(1000));

  buffer.expect(10);
  EXPECT_EQ(buffer.free_tail().size(), 10U);

  buffer.expect(2000);
  buffer.append(pattern(1000));
  EXPECT_EQ(buffer.free_tail().size(), 1000U);
}

TEST(ArrivalBuffer, MovesWithItsBytes) {
  const std::vector<std::byte> message = pattern(100);
  ArrivalBuffer first;
  first.expect(message.size());
  first.append(message);

  ArrivalBuffer second = std::move(first);
  ArrivalBuffer third;
  third = std::move(second);

  EXPECT_TRUE(holds(third, message));
}

TEST(ArrivalBufferDeathTest, AdvancingPastTheTailIsABug) {
  ArrivalBuffer buffer;
  buffer.expect(10);
  const std::size_t room = buffer.free_tail().size();

  EXPECT_DEATH(buffer.advance(room + 1), "CHECK");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
