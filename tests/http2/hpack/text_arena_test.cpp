// SPDX-License-Identifier: Apache-2.0
// TextArena: what it hands out stays, and is used again.
#include "http2/hpack/text_arena.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail::http2 {
namespace {

TEST(TextArena, DoesNotMoveWhatItHandedOut) {
  TextArena arena;
  std::vector<std::string_view> copies;
  for (std::size_t i = 0; i < 100; ++i) {
    copies.push_back(arena.copy(std::string(i * 3, 'x')));
  }

  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(copies[i], std::string(i * 3, 'x'));
  }
}

TEST(TextArena, TakesOnlyTheFirstBytesOfAReservation) {
  TextArena arena;
  char* const reserved = arena.reserve(100);
  std::fill_n(reserved, 100, 'a');

  const std::string_view taken = arena.take(3);
  const std::string_view next = arena.copy("bc");

  EXPECT_EQ(taken, "aaa");
  EXPECT_EQ(next.data(), reserved + 3);
}

TEST(TextArena, UsesTheSameMemoryForListsOfTheSameSize) {
  TextArena arena;
  const auto fill = [&arena] {
    arena.reset();
    const char* const first = arena.copy(std::string(1000, 'x')).data();
    for (int i = 0; i < 5; ++i) {
      arena.copy(std::string(300, 'y'));
    }
    return first;
  };
  fill();
  fill();

  const char* const once = fill();
  const char* const again = fill();

  EXPECT_EQ(once, again);
}

TEST(TextArena, ServesAfterAnUnusuallyLargeList) {
  TextArena arena;
  arena.copy("small");
  arena.copy(std::string(100'000, 'x'));
  arena.reset();

  EXPECT_EQ(arena.copy("small again"), "small again");
  arena.reset();
  arena.reset();
  EXPECT_EQ(arena.copy(std::string(5000, 'z')), std::string(5000, 'z'));
}

}  // namespace
}  // namespace nearcall::inline v0::detail::http2
