// SPDX-License-Identifier: Apache-2.0
// Status: how a call ended.
#include <nearcall/metadata.hpp>
#include <nearcall/status.hpp>

#include <gtest/gtest.h>

namespace nearcall {
namespace {

TEST(Status, IsOneOwningPointerWide) {
  EXPECT_EQ(sizeof(Status), sizeof(void*));
}

TEST(Status, IsOkByDefaultAndThenHasNothingElse) {
  const Status status;

  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), StatusCode::ok);
  EXPECT_EQ(status.message(), "");
  EXPECT_TRUE(status.trailers().empty());
  EXPECT_EQ(status.to_string(), "OK");
}

TEST(Status, KeepsWhatAFailureWasGiven) {
  Metadata trailers;
  ASSERT_TRUE(trailers.add("retry-after", "2"));

  Status status(StatusCode::resource_exhausted, "too many");
  status.with_details("bytes").with_trailers(trailers);

  EXPECT_EQ(status.to_string(), "RESOURCE_EXHAUSTED: too many");
  EXPECT_EQ(status.details(), "bytes");
  EXPECT_EQ(status.trailers().get("retry-after"), "2");
}

TEST(Status, ACopyIsIndependentOfItsOriginal) {
  Status original(StatusCode::aborted, "lost the race");

  const Status copy = original;
  original.with_details("later");

  EXPECT_EQ(copy.details(), "");
  EXPECT_NE(copy, original);
}

TEST(Status, NamesEveryCodeAndAnUnknownNumber) {
  EXPECT_EQ(to_string(StatusCode::ok), "OK");
  EXPECT_EQ(to_string(StatusCode::deadline_exceeded), "DEADLINE_EXCEEDED");
  EXPECT_EQ(to_string(StatusCode::unauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(to_string(static_cast<StatusCode>(99)), "UNKNOWN");
}

}  // namespace
}  // namespace nearcall
