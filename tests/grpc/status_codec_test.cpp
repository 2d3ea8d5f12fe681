// SPDX-License-Identifier: Apache-2.0
// How a call ended, on the wire: each row of the tables, and trailers that are damaged.
#include "grpc/status_codec.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using Fields = std::vector<HeaderView>;

Status trailers_say(const Fields& trailers) {
  return parse_trailers(trailers, MetadataLimits());
}

Fields written(HeaderBlock& block, const Status& status, const Metadata& metadata) {
  append_trailers(block, status, metadata);
  return {block.fields().begin(), block.fields().end()};
}

TEST(StatusCodec, ZeroIsOkWhateverStandsBesideIt) {
  EXPECT_TRUE(trailers_say(Fields{{"grpc-status", "0"}}).ok());
  EXPECT_TRUE(trailers_say(Fields{{"grpc-status", "00"}}).ok());
  EXPECT_TRUE(trailers_say(Fields{{"grpc-message", "fine"},
                                  {"grpc-status", "0"},
                                  {"x-bin", "*"},
                                  {"grpc-status-details-bin", "*"}})
                  .ok());
}

TEST(StatusCodec, EachCodeComesBackFromTheWire) {
  for (int code = 1; code <= 16; ++code) {
    const Status status(static_cast<StatusCode>(code), "why");
    HeaderBlock block;

    EXPECT_EQ(trailers_say(written(block, status, Metadata())), status) << code;
  }
}

TEST(StatusCodec, ReadsMessageDetailsAndMetadataOfAFailure) {
  const Status status = trailers_say(Fields{{"grpc-status", "5"},
                                            {"grpc-message", "no %C3%BC, 100%"},
                                            {"grpc-status-details-bin", "aGk="},
                                            {"retry-after", "2"},
                                            {"x-bin", "aGk"}});

  EXPECT_EQ(status, Status(StatusCode::not_found, "no \xc3\xbc, 100%").with_details("hi"));
  EXPECT_EQ(status.trailers().get("retry-after"), "2");
  EXPECT_EQ(status.trailers().get("x-bin"), "hi");
  EXPECT_EQ(status.trailers().size(), 2U);
}

TEST(StatusCodec, AMissingStatusIsUnknownAndSaysSo) {
  EXPECT_EQ(trailers_say({}), Status(StatusCode::unknown, "the trailers have no grpc-status"));
  EXPECT_EQ(trailers_say(Fields{{"grpc-message", "half"}}),
            Status(StatusCode::unknown, "the trailers have no grpc-status: half"));
}

TEST(StatusCodec, AnUnknownNumberIsUnknownAndKept) {
  EXPECT_EQ(trailers_say(Fields{{"grpc-status", "17"}}),
            Status(StatusCode::unknown, "unknown grpc-status 17"));
  EXPECT_EQ(trailers_say(Fields{{"grpc-status", "4294967295"}, {"grpc-message", "odd"}}),
            Status(StatusCode::unknown, "unknown grpc-status 4294967295: odd"));
}

TEST(StatusCodec, AMalformedStatusIsUnknownAndQuoted) {
  for (const char* text :
       {"", "x", "-1", "+1", " 1", "1 ", "0x1", "1.0", "4294967296", "OK", "0,0"}) {
    EXPECT_EQ(trailers_say(Fields{{"grpc-status", text}}),
              Status(StatusCode::unknown, "malformed grpc-status \"" + std::string(text) + "\""));
  }
}

TEST(StatusCodec, ALongMalformedStatusIsCutShort) {
  const std::string text(10'000, 'x');

  const Status status = trailers_say(Fields{{"grpc-status", text}});

  EXPECT_LT(status.message().size(), 200U);
}

TEST(StatusCodec, DamagedDetailsOrMetadataLeaveTheStatusAsItIs) {
  const Status status = trailers_say(Fields{{"grpc-status", "9"},
                                            {"grpc-message", "m"},
                                            {"grpc-status-details-bin", "*"},
                                            {"x-bin", "*"}});

  EXPECT_EQ(status, Status(StatusCode::failed_precondition, "m"));
  EXPECT_TRUE(status.trailers().empty());
}

TEST(StatusCodec, MetadataBeyondTheLimitsLeavesTheStatusAsItIs) {
  const std::string joined(MetadataLimits().max_entries, ',');

  const Status status =
      trailers_say(Fields{{"grpc-status", "5"}, {"grpc-message", "gone"}, {"a-bin", joined}});

  EXPECT_EQ(status, Status(StatusCode::not_found, "gone"));
  EXPECT_TRUE(status.trailers().empty());
}

TEST(StatusCodec, OkIsOneFieldAndTheMetadata) {
  Metadata metadata;
  ASSERT_TRUE(metadata.add("cost", "3").ok());
  HeaderBlock block;

  EXPECT_EQ(written(block, Status(), metadata), (Fields{{"grpc-status", "0"}, {"cost", "3"}}));
}

TEST(StatusCodec, AFailureIsWrittenWithAllThatItCarries) {
  Metadata own;
  ASSERT_TRUE(own.add("retry-after", "2").ok());
  Metadata metadata;
  ASSERT_TRUE(metadata.add("cost", "3").ok());
  const Status status = Status(StatusCode::internal, "50%\n").with_details("hi").with_trailers(own);
  HeaderBlock block;

  EXPECT_EQ(written(block, status, metadata), (Fields{{"grpc-status", "13"},
                                                      {"grpc-message", "50%25%0A"},
                                                      {"grpc-status-details-bin", "aGk"},
                                                      {"retry-after", "2"},
                                                      {"cost", "3"}}));
}

TEST(StatusCodec, ACodeThatDoesNotExistGoesOutAsUnknown) {
  const Status status(static_cast<StatusCode>(99), "why");
  HeaderBlock block;

  EXPECT_EQ(written(block, status, Metadata()),
            (Fields{{"grpc-status", "2"}, {"grpc-message", "unknown status code 99: why"}}));
}

TEST(StatusCodec, EachHttpStatusHasItsCode) {
  constexpr std::pair<int, StatusCode> rows[] = {
      {400, StatusCode::internal},        {431, StatusCode::internal},
      {401, StatusCode::unauthenticated}, {403, StatusCode::permission_denied},
      {404, StatusCode::unimplemented},   {429, StatusCode::unavailable},
      {502, StatusCode::unavailable},     {503, StatusCode::unavailable},
      {504, StatusCode::unavailable},     {500, StatusCode::unknown},
      {405, StatusCode::unknown},         {415, StatusCode::unknown},
      {200, StatusCode::unknown},         {302, StatusCode::unknown},
  };
  for (const auto& [http_status, code] : rows) {
    const Status status = status_from_http(http_status);
    EXPECT_EQ(status.code(), code) << http_status;
    EXPECT_EQ(status.message(),
              "HTTP status " + std::to_string(http_status) + " without a grpc-status");
  }
}

TEST(StatusCodec, EachResetHasItsCode) {
  for (std::uint32_t error_code = 0; error_code < 20; ++error_code) {
    StatusCode expected = StatusCode::internal;
    if (error_code == 7) expected = StatusCode::unavailable;
    if (error_code == 8) expected = StatusCode::cancelled;
    if (error_code == 11) expected = StatusCode::resource_exhausted;
    if (error_code == 12) expected = StatusCode::permission_denied;
    EXPECT_EQ(status_from_reset(error_code, "ITS_NAME").code(), expected) << error_code;
  }
  EXPECT_EQ(status_from_reset(7, "REFUSED_STREAM").message(),
            "the peer reset the stream with REFUSED_STREAM");
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
