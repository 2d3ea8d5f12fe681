// SPDX-License-Identifier: Apache-2.0
// Result: either a value or an error, never both.
#include "support/log_capture.hpp"

#include <nearcall/result.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace nearcall {
namespace {

using testing::HasSubstr;

TEST(Result, HoldsTheValueItWasMadeOf) {
  const Result<std::string> result = std::string("here");

  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, "here");
  EXPECT_TRUE(result.status().ok());
}

TEST(Result, HoldsTheStatusItWasMadeOf) {
  const Result<std::string> result = Status(StatusCode::not_found, "nowhere");

  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), StatusCode::not_found);
  EXPECT_EQ(result.status().message(), "nowhere");
}

TEST(Result, MovesAValueThatCannotBeCopied) {
  Result<std::unique_ptr<int>> first = std::make_unique<int>(7);

  Result<std::unique_ptr<int>> second = std::move(first);
  const std::unique_ptr<int> taken = *std::move(second);

  EXPECT_EQ(*taken, 7);
}

struct Base {
  virtual ~Base() = default;
};
struct Derived final : Base {};

Result<std::unique_ptr<Base>> make_derived() {
  return std::make_unique<Derived>();
}

Result<std::unique_ptr<Base>> make_none() {
  return nullptr;
}

TEST(Result, IsMadeOfWhatConvertsToItsValue) {
  EXPECT_NE(dynamic_cast<Derived*>(make_derived()->get()), nullptr);
  EXPECT_EQ(*make_none(), nullptr);
  EXPECT_EQ(*Result<std::string>("text"), "text");
}

TEST(Result, WhatConvertsToAnErrorIsNoValue) {
  static_assert(!std::is_constructible_v<Result<int>, std::string>);
  static_assert(std::is_convertible_v<Status, Result<int>>);
  static_assert(!std::is_convertible_v<std::unique_ptr<Base>, Result<std::unique_ptr<Derived>>>);

  const Result<bool> result = Status(StatusCode::aborted, "not true");

  EXPECT_FALSE(result.ok());
}

TEST(Result, AssignmentReplacesAnErrorByAValueAndBack) {
  Result<std::string> result = Status(StatusCode::aborted, "first");

  result = Result<std::string>(std::string("second"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(*result, "second");

  result = Result<std::string>(Status(StatusCode::internal, "third"));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message(), "third");
}

TEST(Result, VoidIsSuccessUnlessMadeOfAFailure) {
  const Result<void> success;
  const Result<void> failure = Failure{Status(StatusCode::internal, "broken")};

  EXPECT_TRUE(success.ok());
  ASSERT_FALSE(failure.ok());
  EXPECT_EQ(failure.error().message(), "broken");
}

Result<void> passed_on(Status status) {
  return status;
}

TEST(Result, VoidIsMadeOfAStatusWhichIsItsErrorUnlessOk) {
  static_assert(!std::is_convertible_v<std::string, Result<void, std::string>>);

  EXPECT_TRUE(passed_on(Status()).ok());
  EXPECT_TRUE(passed_on(Status()).status().ok());
  ASSERT_FALSE(passed_on(Status(StatusCode::aborted, "late")).ok());
  EXPECT_EQ(passed_on(Status(StatusCode::aborted, "late")).error().message(), "late");
}

TEST(ResultDeathTest, TheValueOfAnErrorAborts) {
  Result<int> result = Status(StatusCode::internal, "no value");

  EXPECT_DEATH((void)result.value(), "precondition");
}

TEST(Result, OfAnOkStatusIsAnInternalErrorAndALogLine) {
  test::LogCapture log;

  const Result<int> result = Status();

  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), StatusCode::internal);
  EXPECT_THAT(result.error().message(), HasSubstr("the status OK was given"));
  EXPECT_TRUE(log.take("the status OK was given"));
}

TEST(Result, OfAFailureThatIsOkIsAnInternalErrorToo) {
  test::LogCapture log;

  const Result<void> result = Failure{Status(StatusCode::ok, "fine")};

  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code(), StatusCode::internal);
  EXPECT_TRUE(log.take("the status OK was given"));
}

}  // namespace
}  // namespace nearcall
