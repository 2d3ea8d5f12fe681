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

TEST(Status, IsPrintedWithoutWhatWouldSteerATerminalOrCutTheText) {
  const std::string message("a\0b\x1b[31m\n\xff", 10);
  const Status status = Status::not_found(message + "\xc3\xbc");

  EXPECT_EQ(status.to_string(), "NOT_FOUND: a\\x00b\\x1b[31m\\x0a\\xff\xc3\xbc");
  EXPECT_EQ(status.message(), message + "\xc3\xbc");
}

TEST(Status, ACopyIsIndependentOfItsOriginal) {
  Status original(StatusCode::aborted, "lost the race");

  const Status copy = original;
  original.with_details("later");

  EXPECT_EQ(copy.details(), "");
  EXPECT_NE(copy, original);
}

TEST(Status, HasAFactoryForEachCode) {
  using Factory = Status (*)(std::string);
  constexpr Factory factories[] = {Status::cancelled,
                                   Status::unknown,
                                   Status::invalid_argument,
                                   Status::deadline_exceeded,
                                   Status::not_found,
                                   Status::already_exists,
                                   Status::permission_denied,
                                   Status::resource_exhausted,
                                   Status::failed_precondition,
                                   Status::aborted,
                                   Status::out_of_range,
                                   Status::unimplemented,
                                   Status::internal,
                                   Status::unavailable,
                                   Status::data_loss,
                                   Status::unauthenticated};

  std::int32_t code = 0;
  for (const Factory make : factories) {
    EXPECT_EQ(make("why"), Status(static_cast<StatusCode>(++code), "why"));
  }
  EXPECT_EQ(code, static_cast<std::int32_t>(StatusCode::unauthenticated));
}

TEST(Status, OfTheCodeOkIsOkAndCarriesNothing) {
  Status status(StatusCode::ok, "done");

  status.with_details("bytes").with_reason(StatusReason::limit).with_trailers(Metadata());

  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status, Status());
  EXPECT_EQ(status.reason(), StatusReason::none);
}

TEST(Status, OfANumberOutsideTheListIsUnknownAndShowsTheNumber) {
  EXPECT_EQ(Status(static_cast<StatusCode>(17), "").to_string(), "UNKNOWN: unknown status code 17");
  EXPECT_EQ(Status(static_cast<StatusCode>(300), "why").to_string(),
            "UNKNOWN: unknown status code 300: why");
  EXPECT_EQ(Status(static_cast<StatusCode>(-1), "why").code(), StatusCode::unknown);
}

TEST(Status, KeepsItsReasonInCopiesAndBesideTheRest) {
  const Status& status = Status::unavailable("nobody listens").with_reason(StatusReason::no_server);

  const Status copy = status;

  EXPECT_EQ(copy.reason(), StatusReason::no_server);
  EXPECT_EQ(copy.to_string(), "UNAVAILABLE: nobody listens");
  EXPECT_EQ(Status::unavailable("").reason(), StatusReason::none);
}

TEST(Status, NamesEachReasonAsItIsSpelled) {
  EXPECT_EQ(to_string(StatusReason::none), "none");
  EXPECT_EQ(to_string(StatusReason::no_server), "no_server");
  EXPECT_EQ(to_string(StatusReason::misuse), "misuse");
  EXPECT_EQ(to_string(StatusReason::no_answer), "no_answer");
}

TEST(Status, NamesEveryCodeAndAnUnknownNumber) {
  EXPECT_EQ(to_string(StatusCode::ok), "OK");
  EXPECT_EQ(to_string(StatusCode::deadline_exceeded), "DEADLINE_EXCEEDED");
  EXPECT_EQ(to_string(StatusCode::unauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(to_string(static_cast<StatusCode>(99)), "UNKNOWN");
}

}  // namespace
}  // namespace nearcall
