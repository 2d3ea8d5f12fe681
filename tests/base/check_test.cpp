// SPDX-License-Identifier: Apache-2.0
// CHECK: what it prints, that it costs nothing where it holds, and that it stays in every build.
#include "base/check.hpp"

#include <nearcall/result.hpp>

#include <gtest/gtest.h>

#include <string>

namespace nearcall {
namespace {

TEST(Check, LetsPassWhatHolds) {
  int evaluations = 0;

  CHECK(++evaluations == 1, evaluations);

  EXPECT_EQ(evaluations, 1);
}

TEST(Check, DoesNotLookAtItsOperandsWhereItHolds) {
  int described = 0;
  const auto describe = [&] { return ++described; };

  CHECK(true, describe());

  EXPECT_EQ(described, 0);
}

TEST(CheckDeathTest, SaysWhereAndWhatFailed) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "check_test.cpp:[0-9]+: CHECK.1 . 1 == 3. failed\n");
}

TEST(CheckDeathTest, NamesTheFileWithoutTheFolderThatItWasBuiltIn) {
  EXPECT_DEATH(CHECK(false), "^tests/base/check_test.cpp:");
}

TEST(CheckDeathTest, PrintsItsOperands) {
  const int count = 7;
  const std::string name = "echo";

  EXPECT_DEATH(CHECK(count < 5, count, name), "failed: 7, echo\n");
}

TEST(CheckDeathTest, APreconditionOfAPublicTypeStopsTheProgramAndNamesItself) {
  EXPECT_DEATH(detail::fail_precondition("value() of a failure"),
               "nearcall: precondition failed: value.. of a failure");
}

}  // namespace
}  // namespace nearcall
