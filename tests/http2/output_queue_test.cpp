// SPDX-License-Identifier: Apache-2.0
// OutputQueue: bytes leave in the order of their coming, and references live just long enough.
#include "http2/output_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>

namespace nearcall::inline v0::detail::http2 {
namespace {

class OutputQueueTest : public testing::Test {
 protected:
  void write(std::string_view text) {
    std::memcpy(queue.reserve(text.size()), text.data(), text.size());
    queue.commit(text.size());
  }
  /// One whole segment, which only the queue refers to afterwards.
  void refer(std::string_view text) {
    Segment* const segment = pool.make(OwnedBytes::copy_of(as_bytes(text)));
    queue.append(*segment, segment->rest());
    pool.drop(segment);
  }
  std::string gather(std::size_t most_pieces = 64) {
    std::vector<iovec> pieces(most_pieces);
    std::string text;
    for (const iovec& piece : std::span(pieces).first(queue.gather(pieces))) {
      EXPECT_GT(piece.iov_len, 0U);
      text.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
    }
    return text;
  }

  SegmentPool pool;
  OutputQueue queue{pool};
};

TEST_F(OutputQueueTest, IsEmptyAtFirst) {
  EXPECT_TRUE(queue.empty());
  std::array<iovec, 2> pieces;
  EXPECT_EQ(queue.gather(pieces), 0U);
}

TEST_F(OutputQueueTest, GathersWrittenAndReferredBytesInOrder) {
  write("a");
  refer("bb");
  refer("ccc");
  write("d");
  refer("ee");
  EXPECT_EQ(gather(), "abbcccdee");
  EXPECT_EQ(queue.size(), 9U);
  EXPECT_EQ(gather(1), "a");
  EXPECT_EQ(gather(2), "abb");
  EXPECT_EQ(gather(0), "");
}

TEST_F(OutputQueueTest, TakesWhatWasReservedInPartOrNotAtAll) {
  queue.reserve(100);
  write("ab");
  std::memcpy(queue.reserve(10), "cdefghijkl", 10);
  queue.commit(1);
  EXPECT_EQ(gather(), "abc");
}

TEST_F(OutputQueueTest, RemovesAnyNumberOfBytes) {
  for (std::size_t count = 0; count <= 9; ++count) {
    write("a");
    refer("bb");
    write("c");
    refer("ddd");
    write("ee");
    queue.remove(count);
    EXPECT_EQ(gather(), std::string("abbcdddee").substr(count));
    EXPECT_EQ(queue.size(), 9 - count);
    queue.remove(9 - count);
    EXPECT_TRUE(queue.empty());
  }
  EXPECT_EQ(queue.sent(), queue.appended());
}

TEST_F(OutputQueueTest, MarksStayWhenTheBufferMoves) {
  write("first");
  const std::uint64_t mark = queue.end_mark();
  write("marked");
  write(std::string(10'000, 'x'));
  ASSERT_TRUE(queue.is_unsent(mark));
  EXPECT_EQ(std::memcmp(queue.at(mark), "marked", 6), 0);
  queue.remove(5);
  EXPECT_TRUE(queue.is_unsent(mark));
  write(std::string(20'000, 'y'));
  EXPECT_EQ(std::memcmp(queue.at(mark), "marked", 6), 0);
  *queue.at(mark) = std::byte{'M'};
  EXPECT_TRUE(gather().starts_with("Marked"));
  queue.remove(1);
  EXPECT_FALSE(queue.is_unsent(mark));
}

TEST_F(OutputQueueTest, AMarkOfTheLastByteIsSentWithIt) {
  write("a");
  const std::uint64_t mark = queue.end_mark();
  write("b");
  queue.remove(2);
  EXPECT_FALSE(queue.is_unsent(mark));
  write("c");
  EXPECT_FALSE(queue.is_unsent(mark)) << "another byte may lie there now";
}

TEST_F(OutputQueueTest, HoldsASegmentUntilItsLastPieceIsSent) {
  Segment* const segment = pool.make(OwnedBytes::copy_of(as_bytes("0123456789")));
  queue.append(*segment, segment->rest().first(4));
  queue.append(*segment, segment->rest().subspan(4));
  EXPECT_EQ(segment->references, 3U);
  queue.remove(3);
  EXPECT_EQ(segment->references, 3U);
  queue.remove(1);
  EXPECT_EQ(segment->references, 2U);
  pool.drop(segment);
  EXPECT_EQ(gather(), "456789");
  queue.remove(6);
  EXPECT_EQ(pool.make(OwnedBytes(1)), segment) << "it was free again";
  pool.drop(segment);
}

TEST_F(OutputQueueTest, DropsWhatItHoldsWhenItGoes) {
  Segment* const segment = pool.make(OwnedBytes::copy_of(as_bytes("abc")));
  {
    OutputQueue short_lived(pool);
    short_lived.append(*segment, segment->rest());
    EXPECT_EQ(segment->references, 2U);
  }
  EXPECT_EQ(segment->references, 1U);
  pool.drop(segment);
}

class Lender final : public BytesOwner {
 public:
  std::string text = "0123456789";

 private:
  void on_unreferenced() noexcept override {}
};

TEST_F(OutputQueueTest, CopiesWhatIsLeftOfBytesThatMustGo) {
  Lender going;
  Lender staying;
  for (Lender* const lender : {&going, &staying, &going}) {
    Segment* const segment = pool.make(OwnedBytes(*lender, as_bytes(lender->text)));
    write("-");
    queue.append(*segment, segment->rest().first(4));
    queue.append(*segment, segment->rest().subspan(4));
    pool.drop(segment);
  }
  queue.remove(3);

  queue.copy_from(going);

  EXPECT_EQ(going.references(), 1U);
  EXPECT_EQ(staying.references(), 2U);
  going.text = "gone";
  EXPECT_EQ(gather(), "23456789-0123456789-0123456789");
  queue.remove(queue.size());
  EXPECT_EQ(staying.references(), 1U);
}

TEST_F(OutputQueueTest, GivesMemoryBackOnlyWhenItIsEmpty) {
  write("abc");
  queue.trim();
  EXPECT_EQ(gather(), "abc");
  queue.remove(3);
  queue.trim();
  write("def");
  EXPECT_EQ(gather(), "def");
}

TEST_F(OutputQueueTest, WhatWaitsIsNotCopiedAgain) {
  write("begins the first block");
  for (std::size_t i = 0; i < 400; ++i)
    write(std::string(10'000, 'x'));
  std::array<iovec, 1> first;
  ASSERT_EQ(queue.gather(first), 1U);
  const void* const place = first[0].iov_base;

  for (std::size_t i = 0; i < 400; ++i)
    write(std::string(10'000, 'y'));

  ASSERT_EQ(queue.gather(first), 1U);
  EXPECT_EQ(first[0].iov_base, place);
  EXPECT_LE(queue.grown(), queue.size() + 3 * OutputQueue::block_size);
}

TEST_F(OutputQueueTest, ABlockThatIsFullIsNotCopiedWhereALittleIsSentAndALittleIsWritten) {
  while (queue.size() < OutputQueue::block_size - 1000)
    write(std::string(1000, 'x'));
  for (int i = 0; i < 100; ++i) {
    queue.remove(1000);
    write(std::string(1000, 'y'));
  }

  EXPECT_LE(queue.grown(), 4 * OutputQueue::block_size);
}

TEST_F(OutputQueueTest, ABlockThatWasSentIsGivenBack) {
  while (queue.size() < OutputQueue::block_size)
    write(std::string(1000, 'x'));
  queue.remove(queue.size());
  const std::uint64_t grown = queue.grown();

  write("more");

  EXPECT_GT(queue.grown(), grown) << "in a buffer of its own";
  EXPECT_LE(queue.grown(), grown + OutputQueue::block_size / 4);
  EXPECT_EQ(gather(), "more");
}

TEST_F(OutputQueueTest, WhoHadABlockBeforeItWasTrimmedBeginsSmallAgain) {
  write("a");
  const std::uint64_t small = queue.grown();
  while (queue.size() < OutputQueue::block_size)
    write(std::string(1000, 'x'));
  queue.remove(queue.size());
  queue.trim();
  const std::uint64_t grown = queue.grown();

  write("a");

  EXPECT_EQ(queue.grown() - grown, small);
}

TEST_F(OutputQueueTest, AMarkInABlockThatIsFullCountsAsSent) {
  const std::uint64_t in_full_block = queue.end_mark();
  for (std::size_t i = 0; i < 30; ++i)
    write(std::string(10'000, 'x'));
  const std::uint64_t mark = queue.end_mark();
  write("marked");

  EXPECT_FALSE(queue.is_unsent(in_full_block));
  ASSERT_TRUE(queue.is_unsent(mark));
  EXPECT_EQ(std::memcmp(queue.at(mark), "marked", 6), 0);
}

TEST_F(OutputQueueTest, WhatIsLargerThanABlockHasOneOfItsOwn) {
  const std::string large(OutputQueue::block_size + 1, 'l');
  write("before");
  write(large);
  write("behind");

  EXPECT_EQ(gather(), "before" + large + "behind");
}

/// Writes and refers to texts of up to `most` bytes, and removes up to as many as `most_removed`.
class OutputQueueRandomTest : public OutputQueueTest,
                              public testing::WithParamInterface<std::array<int, 3>> {};

INSTANTIATE_TEST_SUITE_P(Sizes,
                         OutputQueueRandomTest,
                         testing::Values(std::array{20'000, 300, 400},
                                         std::array{600, 40'000, 41'000}));

TEST_P(OutputQueueRandomTest, AgreesWithAString) {
  const auto [steps, most, most_removed] = GetParam();
  std::mt19937 random(1);
  std::string expected;
  char next = 'a';
  for (int step = 0; step < steps; ++step) {
    const std::string text(random() % static_cast<unsigned>(most), next);
    next = next == 'z' ? 'a' : static_cast<char>(next + 1);
    switch (random() % 4) {
      case 0:
        if (!text.empty()) refer(text);
        expected += text;
        break;
      case 1:
        write(text);
        expected += text;
        break;
      default: {
        const std::size_t count =
            std::min<std::size_t>(random() % static_cast<unsigned>(most_removed), expected.size());
        queue.remove(count);
        expected.erase(0, count);
      }
    }
    ASSERT_EQ(queue.size(), expected.size());
    const std::string front = gather(8);
    ASSERT_TRUE(expected.starts_with(front));
    ASSERT_EQ(front.empty(), expected.empty());
  }
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
