// SPDX-License-Identifier: Apache-2.0
// The headers that begin a response: what they mean, and what is no gRPC response at all.
#include "grpc/response_head.hpp"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using Fields = std::vector<HeaderView>;
using HeadKind = ResponseHead::Kind;

ResponseHead response_head_of(std::span<const HeaderView> fields, bool end_stream) {
  return parse_response_head(fields, end_stream, MetadataLimits());
}

TEST(ResponseHead, BeginsAResponse) {
  const Fields fields = {{":status", "200"},
                         {"content-type", "application/grpc+proto"},
                         {"grpc-encoding", "identity"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/false);

  EXPECT_EQ(head.kind, HeadKind::begun);
  EXPECT_EQ(head.http_status, 200);
  EXPECT_EQ(head.content_subtype, "proto");
  EXPECT_TRUE(head.status.ok());
}

TEST(ResponseHead, InterimResponsesAreNotTheResponse) {
  for (const char* status : {"100", "103", "199"}) {
    EXPECT_EQ(response_head_of(Fields{{":status", status}}, /*end_stream=*/false).kind,
              HeadKind::interim);
  }
}

TEST(ResponseHead, AnInterimResponseThatEndsTheStreamIsRefused) {
  const ResponseHead head = response_head_of(Fields{{":status", "103"}}, /*end_stream=*/true);

  EXPECT_EQ(head.kind, HeadKind::refused);
  EXPECT_EQ(head.status.code(), StatusCode::unknown);
}

TEST(ResponseHead, TrailersOnlyEndsTheCallWithItsStatus) {
  const Fields fields = {{":status", "200"},
                         {"content-type", "application/grpc"},
                         {"grpc-status", "5"},
                         {"grpc-message", "gone"},
                         {"cost", "3"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/true);

  EXPECT_EQ(head.kind, HeadKind::ended);
  EXPECT_EQ(head.status, Status(StatusCode::not_found, "gone"));
  EXPECT_EQ(head.status.trailers().get("cost"), "3");
}

TEST(ResponseHead, TrailersOnlyMayBeOk) {
  const Fields fields = {
      {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/true);

  EXPECT_EQ(head.kind, HeadKind::ended);
  EXPECT_TRUE(head.status.ok());
}

TEST(ResponseHead, AGrpcStatusCountsMoreThanTheHttpStatus) {
  const Fields fields = {{":status", "415"}, {"grpc-status", "13"}, {"grpc-message", "m"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/true);

  EXPECT_EQ(head.kind, HeadKind::ended);
  EXPECT_EQ(head.status, Status(StatusCode::internal, "m"));
}

TEST(ResponseHead, AGrpcStatusBeforeTheEndOfTheStreamIsNoEnd) {
  const Fields fields = {
      {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", "0"}};

  EXPECT_EQ(response_head_of(fields, /*end_stream=*/false).kind, HeadKind::begun);
}

TEST(ResponseHead, AnHttpErrorIsRefusedWithItsMeaning) {
  for (const bool end_stream : {false, true}) {
    const ResponseHead head =
        response_head_of(Fields{{":status", "503"}, {"content-type", "text/html"}}, end_stream);

    EXPECT_EQ(head.kind, HeadKind::refused);
    EXPECT_EQ(head.http_status, 503);
    EXPECT_EQ(head.status,
              Status(StatusCode::unavailable, "HTTP status 503 without a grpc-status"));
  }
}

TEST(ResponseHead, AnEndWithoutGrpcStatusIsUnknown) {
  const Fields fields = {{":status", "200"}, {"content-type", "application/grpc"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/true);

  EXPECT_EQ(head.kind, HeadKind::refused);
  EXPECT_EQ(head.status.code(), StatusCode::unknown);
}

TEST(ResponseHead, AForeignOrMissingContentTypeIsUnknown) {
  for (const Fields& fields :
       {Fields{{":status", "200"}, {"content-type", "text/html"}}, Fields{{":status", "200"}}}) {
    const ResponseHead head = response_head_of(fields, /*end_stream=*/false);

    EXPECT_EQ(head.kind, HeadKind::refused);
    EXPECT_EQ(head.status.code(), StatusCode::unknown);
    EXPECT_NE(head.status.message().find("content-type"), std::string::npos);
  }
}

TEST(ResponseHead, AnUnknownEncodingIsLeftToTheMessagesThatHaveIt) {
  const Fields fields = {
      {":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}};

  const ResponseHead head = response_head_of(fields, /*end_stream=*/false);

  EXPECT_EQ(head.kind, HeadKind::begun);
  EXPECT_EQ(head.encoding, "gzip");
}

TEST(ResponseHead, AMalformedHttpStatusIsInternal) {
  for (const char* status : {"", "20", "2000", "099", "abc", "2x0", "-20", " 200", "20 "}) {
    const Fields fields = {{":status", status}, {"grpc-status", "0"}};
    const ResponseHead head = response_head_of(fields, /*end_stream=*/true);

    EXPECT_EQ(head.kind, HeadKind::refused) << status;
    EXPECT_EQ(head.status.code(), StatusCode::internal) << status;
  }
  EXPECT_EQ(response_head_of({}, /*end_stream=*/true).kind, HeadKind::refused);
}

TEST(ResponseHead, TrailersOnlyIsReadBack) {
  const Status status(StatusCode::unimplemented, "no such method");
  HeaderBlock block;

  append_trailers_only(block, status, Metadata());

  const ResponseHead head = response_head_of(block.fields(), /*end_stream=*/true);
  EXPECT_EQ(head.kind, HeadKind::ended);
  EXPECT_EQ(head.status, status);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
