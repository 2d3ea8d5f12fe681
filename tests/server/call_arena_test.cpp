// SPDX-License-Identifier: Apache-2.0
// A call's arena: one piece of memory while messages are small, and there as long as it is used.
#include "server/call_arena.hpp"

#include "support/messages.hpp"

#include <gtest/gtest.h>

namespace nearcall::test {
namespace {

using detail::CallArena;
using google::protobuf::Arena;

TEST(CallArena, HasSmallMessagesInItsOwnMemory) {
  const CallArena::Ptr arena = CallArena::make();

  auto* const text = Arena::CreateMessage<Text>(&arena->arena());

  const auto* const begin = reinterpret_cast<const char*>(arena.get());
  const auto* const place = reinterpret_cast<const char*>(text);
  EXPECT_GT(place, begin);
  EXPECT_LT(place, begin + CallArena::size);
  EXPECT_LE(arena->arena().SpaceAllocated(), CallArena::size);
}

TEST(CallArena, TakesMoreForLargeOnes) {
  const CallArena::Ptr arena = CallArena::make();
  for (int i = 0; i < 1000; ++i)
    Arena::CreateMessage<Text>(&arena->arena())->set_value("a text that is no short string");

  EXPECT_GT(arena->arena().SpaceAllocated(), 1000 * sizeof(Text));
}

TEST(CallArena, StaysAsLongAsSomebodyRefersToWhatLiesThere) {
  CallArena::Ptr arena = CallArena::make();
  auto* const text = Arena::CreateMessage<Text>(&arena->arena());
  text->set_value(std::string(1000, 'x'));
  detail::OwnedBytes kept(*arena, detail::as_bytes(text->value()));

  arena.reset();

  EXPECT_EQ(std::string(reinterpret_cast<const char*>(kept.data()), kept.size()),
            std::string(1000, 'x'));
}

}  // namespace
}  // namespace nearcall::test
