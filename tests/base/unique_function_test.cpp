// SPDX-License-Identifier: Apache-2.0
// Callables that can be moved and not copied.
#include <nearcall/unique_function.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace nearcall {
namespace {

int twice(int number) {
  return 2 * number;
}

/// Counts how many of it live, in place or on the heap.
template <std::size_t size>
struct Counted {
  explicit Counted(int& living) : living_(&living) { ++living; }
  Counted(Counted&& other) noexcept : living_(other.living_) { ++*living_; }
  ~Counted() { --*living_; }
  int operator()() const { return *living_; }

 private:
  int* living_;
  std::array<char, size> padding_{};
};

TEST(UniqueFunction, HoldsWhatCanOnlyBeMoved) {
  UniqueFunction<int(int)> add = [owned = std::make_unique<int>(40)](int more) {
    return *owned + more;
  };
  UniqueFunction<int(int)> moved = std::move(add);

  EXPECT_EQ(moved(2), 42);
  EXPECT_FALSE(add);  // NOLINT(bugprone-use-after-move): it is empty then
}

TEST(UniqueFunction, HoldsFunctionsLambdasAndMembers) {
  EXPECT_EQ(UniqueFunction<int(int)>(twice)(4), 8);
  EXPECT_EQ(UniqueFunction<int(int)>(&twice)(4), 8);
  EXPECT_EQ(UniqueFunction<int(int)>([](int number) { return number; })(4), 4);
  EXPECT_EQ(UniqueFunction<std::size_t(const std::string&)>(&std::string::size)("four"), 4U);
}

TEST(UniqueFunction, IsEmptyWhereThereIsNothingToCall) {
  int (*const no_function)(int) = nullptr;

  EXPECT_FALSE(UniqueFunction<int(int)>());
  EXPECT_FALSE(UniqueFunction<int(int)>(nullptr));
  EXPECT_FALSE(UniqueFunction<int(int)>(no_function));
  EXPECT_FALSE(UniqueFunction<int(int)>(std::function<int(int)>()));
  EXPECT_TRUE(UniqueFunction<int(int)>(std::function<int(int)>(twice)));
}

TEST(UniqueFunction, MovesItsArgumentsThrough) {
  UniqueFunction<std::unique_ptr<int>(std::unique_ptr<int>)> same = [](std::unique_ptr<int> one) {
    return one;
  };

  EXPECT_EQ(*same(std::make_unique<int>(7)), 7);
}

TEST(UniqueFunction, DropsAResultThatNobodyWants) {
  UniqueFunction<void(int)> drop = twice;
  drop(3);
}

template <class Held>
void expect_one_life() {
  int living = 0;
  {
    UniqueFunction<int()> first = Held(living);
    EXPECT_EQ(first(), 1);
    UniqueFunction<int()> second = std::move(first);
    EXPECT_EQ(second(), 1);
    second = UniqueFunction<int()>(Held(living));
    EXPECT_EQ(second(), 1);
    second = nullptr;
    EXPECT_EQ(living, 0);
    second = Held(living);
  }
  EXPECT_EQ(living, 0);
}

TEST(UniqueFunction, DestroysWhatItHoldsOnceHoweverLargeItIs) {
  expect_one_life<Counted<1>>();
  expect_one_life<Counted<400>>();
}

}  // namespace
}  // namespace nearcall
