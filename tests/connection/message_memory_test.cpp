// SPDX-License-Identifier: Apache-2.0
// What messages are taken to hold, beside what their parts take.
#include "connection/message_memory.hpp"

#include "support/messages.hpp"
#include "support/sanitized.hpp"

#include <nearcall/generic_message.hpp>

#include <google/protobuf/struct.pb.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace nearcall::test {
namespace {

using detail::memory_of;

TEST(MessageMemory, OfASmallMessageIsAGuess) {
  EXPECT_EQ(memory_of(text_of("small"), 7), 7U * 16);
}

TEST(MessageMemory, OfALargeFieldIsAboutItsSize) {
  const std::size_t memory = memory_of(text_of(std::string(100'000, 'x')), 100'004);

  EXPECT_GE(memory, 100'004U);
  EXPECT_LE(memory, 110'000U);
}

TEST(MessageMemory, OfUnknownFieldsIsThatOfTheirEntries) {
  constexpr std::size_t fields = 10'000;
  const Text message = text_with_small_fields(2 * fields);

  EXPECT_GE(memory_of(message, 2 * fields), fields * 16) << "two words each, at least";
}

TEST(MessageMemory, OfRepeatedMessagesIsThatOfEach) {
  constexpr int entries = 1000;
  google::protobuf::ListValue list;
  for (int i = 0; i < entries; ++i)
    list.add_values();
  const std::string bytes = list.SerializeAsString();

  EXPECT_GE(memory_of(list, bytes.size()), entries * sizeof(google::protobuf::Value));
}

TEST(MessageMemory, OfBytesIsTheirSize) {
  GenericMessage message(std::string(100'000, 'x'));
  EXPECT_EQ(memory_of(message, 100'000), 100'000U);

  detail::free_memory_of(message);

  EXPECT_LT(message.bytes().capacity(), 100U);
}

TEST(MessageMemory, IsNotKeptToBeUsedAgainOnceItWasFreed) {
  google::protobuf::ListValue list;
  for (int i = 0; i < 1000; ++i)
    list.add_values();
  list.Clear();
  EXPECT_GE(memory_of(list, 1000), 1000 * sizeof(google::protobuf::Value));

  detail::free_memory_of(list);

  EXPECT_EQ(memory_of(list, 1000), 1000U) << "no more than came";
}

TEST(MessageMemory, ThatWasFreedInSmallBlocksIsMergedFromTimeToTime) {
  if constexpr (is_sanitized) GTEST_SKIP() << "another allocator";
  constexpr std::size_t often = std::size_t{256} * 1024;
  detail::note_freed_memory(often);  // from here on it is counted anew
  std::vector<void*> blocks(1000);
  for (void*& block : blocks)
    block = std::malloc(48);
  for (void* const block : blocks)
    std::free(block);

  detail::note_freed_memory(often - 1);
  EXPECT_GT(::mallinfo2().fsmblks, 0U) << "bytes of those that are put aside";
  detail::note_freed_memory(1);

  EXPECT_EQ(::mallinfo2().fsmblks, 0U);
}

}  // namespace
}  // namespace nearcall::test
