// SPDX-License-Identifier: Apache-2.0
// limit_trailers(): what gives way when the end of a call is too large.
#include "grpc/trailer_limit.hpp"

#include "base/percent_encoding.hpp"
#include "grpc/response_head.hpp"
#include "grpc/status_codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace nearcall::inline v0::detail::grpc {
namespace {

using testing::EndsWith;
using testing::StartsWith;

struct TrailerLimitTest : testing::Test {
  /// What a client makes of what is left.
  Status sent(const Status& status, std::size_t most, const Metadata& metadata = Metadata()) {
    append_trailers(block_, status, metadata);
    left_out_ = limit_trailers(block_, most);
    return parse_trailers(block_.fields(), MetadataLimits());
  }
  bool has(std::string_view name) const {
    return std::ranges::any_of(block_.fields(), [&](const auto& f) { return f.name == name; });
  }
  static Metadata metadata_of(std::size_t size) {
    Metadata metadata;
    EXPECT_TRUE(metadata.add("extra", std::string(size, 'm')));
    return metadata;
  }

  HeaderBlock block_;
  LeftOut left_out_ = LeftOut::nothing;
};

TEST_F(TrailerLimitTest, WhatFitsStaysAsItIs) {
  const Status status = Status::not_found("nobody");
  append_trailers(block_, status, Metadata());
  const std::size_t size = block_.list_size();
  EXPECT_EQ(limit_trailers(block_, size), LeftOut::nothing);
  EXPECT_EQ(parse_trailers(block_.fields(), MetadataLimits()), status);

  EXPECT_NE(limit_trailers(block_, size - 1), LeftOut::nothing);
}

TEST_F(TrailerLimitTest, ALongMessageIsCutAndSaysSoAndTheRestStays) {
  const Status status = sent(Status::not_found(std::string(20'000, 'x')).with_details("details"),
                             8192, metadata_of(100));

  EXPECT_EQ(left_out_, LeftOut::text);
  EXPECT_EQ(status.code(), StatusCode::not_found);
  EXPECT_THAT(status.message(), StartsWith("xxxx"));
  EXPECT_THAT(status.message(), EndsWith("x (cut: the trailers may count 8192 bytes)"));
  EXPECT_EQ(status.details(), "details");
  EXPECT_EQ(status.trailers().get("extra"), std::string(100, 'm'));
  EXPECT_LE(block_.list_size(), 8192U);
  EXPECT_GT(block_.list_size(), 8192U - 5);
}

TEST_F(TrailerLimitTest, AMessageIsCutBetweenItsCharacters) {
  const std::string text = "100% grün 漢字 \xf0\x9f\x98\x80";
  const Status status = Status::internal(text + text + text + text + text + text);
  append_trailers(block_, status, Metadata());
  const std::size_t whole = block_.list_size();
  for (std::size_t most = whole - 1; most > whole - 200; --most) {
    block_.clear();

    const std::string message = sent(status, most).message();

    const std::string kept = message.substr(0, message.rfind(" (cut"));
    ASSERT_LE(block_.list_size(), most);
    ASSERT_THAT(status.message(), StartsWith(kept));
    const auto next = static_cast<unsigned char>(status.message()[kept.size()]);
    ASSERT_TRUE(next < 0x80 || next >= 0xc0) << "cut inside a character";
  }
}

TEST_F(TrailerLimitTest, MetadataThatIsTooLargeIsLeftOutAndTheCodeAndTheMessageStay) {
  const Status status = sent(Status::aborted("try again"), 8192, metadata_of(10'000));

  EXPECT_EQ(left_out_, LeftOut::metadata);
  EXPECT_EQ(status.code(), StatusCode::aborted);
  EXPECT_EQ(status.message(), "try again (without metadata: the trailers may count 8192 bytes)");
  EXPECT_FALSE(has("extra"));
}

TEST_F(TrailerLimitTest, BothThatAreTooLargeGiveWay) {
  const Status status = sent(Status::aborted(std::string(10'000, 'x')), 1024, metadata_of(10'000));

  EXPECT_EQ(left_out_, LeftOut::metadata);
  EXPECT_THAT(status.message(), StartsWith("xxx"));
  EXPECT_THAT(status.message(), EndsWith("(without metadata: the trailers may count 1024 bytes)"));
  EXPECT_LE(block_.list_size(), 1024U);
}

TEST_F(TrailerLimitTest, AFailureWithoutAMessageSaysWhyItsMetadataIsMissing) {
  EXPECT_THAT(sent(Status::aborted(""), 1024, metadata_of(2000)).message(),
              EndsWith("(without metadata: the trailers may count 1024 bytes)"));
}

TEST_F(TrailerLimitTest, AnOkCallStaysOk) {
  EXPECT_TRUE(sent(Status(), 1024, metadata_of(2000)).ok());
  EXPECT_EQ(block_.fields().size(), 1U);
}

TEST_F(TrailerLimitTest, TheCodeGoesWhateverTheLimit) {
  const Status status = Status::data_loss("gone");
  append_trailers_only(block_, status, Metadata());

  EXPECT_EQ(limit_trailers(block_, 1), LeftOut::metadata);

  EXPECT_TRUE(has(":status"));
  EXPECT_EQ(parse_trailers(block_.fields(), MetadataLimits()).code(), StatusCode::data_loss);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
