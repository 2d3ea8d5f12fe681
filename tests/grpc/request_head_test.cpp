// SPDX-License-Identifier: Apache-2.0
// The headers that begin a call: what clients really send, and what is refused with which answer.
#include "grpc/request_head.hpp"

#include "grpc/metadata_codec.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace nearcall::inline v0::detail::grpc {
namespace {

using namespace std::chrono_literals;
using Fields = std::vector<HeaderView>;

/// A good request, with the value of one field replaced (added when it is not there).
Fields request_with(std::string_view name, std::string_view value) {
  Fields fields = {
      {":method", "POST"},         {":scheme", "http"}, {":path", "/pkg.Service/Method"},
      {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  for (HeaderView& field : fields) {
    if (field.name == name) {
      field.value = value;
      return fields;
    }
  }
  if (!name.empty()) fields.push_back({name, value});
  return fields;
}

Fields request_without(std::string_view name) {
  Fields fields = request_with("", "");
  std::erase_if(fields, [name](const HeaderView& field) { return field.name == name; });
  return fields;
}

/// The answer to a request that must be refused.
Fields answer_to(const Fields& request, HeaderBlock& block, Rejection& kept) {
  auto head = parse_request_head(request);
  if (head) {
    ADD_FAILURE() << "not refused";
    return {};
  }
  kept = std::move(head).error();
  append_rejection(block, kept);
  return {block.fields().begin(), block.fields().end()};
}

TEST(RequestHead, ReadsEachField) {
  const Fields fields = {{":method", "POST"},
                         {":scheme", "https"},
                         {":path", "/pkg.Service/Method"},
                         {":authority", "localhost"},
                         {"te", "trailers"},
                         {"content-type", "application/grpc+proto"},
                         {"user-agent", "grpc-go/1.60"},
                         {"grpc-encoding", "identity"},
                         {"grpc-accept-encoding", "identity,gzip"},
                         {"grpc-timeout", "50m"},
                         {"custom", "x"}};

  const auto head = parse_request_head(fields);

  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->path, "/pkg.Service/Method");
  EXPECT_EQ(head->service, "pkg.Service");
  EXPECT_EQ(head->method, "Method");
  EXPECT_EQ(head->scheme, "https");
  EXPECT_EQ(head->authority, "localhost");
  EXPECT_EQ(head->content_subtype, "proto");
  EXPECT_EQ(head->user_agent, "grpc-go/1.60");
  EXPECT_EQ(head->encoding, "identity");
  EXPECT_EQ(head->accept_encoding, "identity,gzip");
  EXPECT_EQ(head->timeout, 50ms);
}

TEST(RequestHead, ToleratesWhatIsMissingButNotNeeded) {
  for (const char* name : {":scheme", ":authority", "te"}) {
    EXPECT_TRUE(parse_request_head(request_without(name)).ok()) << name;
  }
  EXPECT_EQ(parse_request_head(request_with("", ""))->timeout, std::nullopt);
}

/// What clients send as :authority over a Unix socket; each is taken and shown as it came.
struct AuthorityRow {
  const char* client;
  const char* value;
};

TEST(RequestHead, TakesTheAuthorityOfEachClientAsItCame) {
  constexpr AuthorityRow rows[] = {
      {"grpc-core up to 1.56, grpc-js, grpc-dart, grpcurl, grpc-go, .NET", "localhost"},
      {"grpc-core from 1.57, grpc-swift 2, grpc-go with a dialer", "%2Ftmp%2Fa.sock"},
      {"grpc-java", "/tmp/a.sock"},
      {"tonic", "tonic"},
      {"an empty one", ""},
      {"a hostile one", "\xff@:/?#[]%"},
  };
  for (const AuthorityRow& row : rows) {
    const Fields fields = request_with(":authority", row.value);

    const auto head = parse_request_head(fields);

    ASSERT_TRUE(head.ok()) << row.client;
    EXPECT_EQ(head->authority, row.value) << row.client;
  }
}

TEST(RequestHead, TakesHostWhereTheAuthorityIsMissing) {
  Fields fields = request_without(":authority");
  EXPECT_EQ(parse_request_head(fields)->authority, "");

  fields.push_back({"host", "from-host"});
  EXPECT_EQ(parse_request_head(fields)->authority, "from-host");

  fields.insert(fields.begin(), {":authority", ""});
  EXPECT_EQ(parse_request_head(fields)->authority, "");
}

TEST(RequestHead, RefusesAPathThatIsNotServiceAndMethod) {
  for (const char* path : {"", "/", "//", "///", "/a", "/a/", "//b", "a/b", "/a/b/", "/a/b/c",
                           "//a/b", "*", "/a//b", "http://localhost/a/b"}) {
    const auto head = parse_request_head(request_with(":path", path));

    ASSERT_FALSE(head.ok()) << path;
    EXPECT_EQ(head.error().http_status, 200) << path;
    EXPECT_EQ(head.error().status,
              Status(StatusCode::unimplemented,
                     "path is not /service/method: \"" + std::string(path) + "\""));
  }
  EXPECT_FALSE(parse_request_head(request_without(":path")).ok());
}

TEST(RequestHead, TakesAnyCharactersBetweenTheSlashes) {
  const Fields fields = request_with(":path", "/a b%2F?x#/\xff&");

  const auto head = parse_request_head(fields);

  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->service, "a b%2F?x#");
  EXPECT_EQ(head->method, "\xff&");
}

TEST(RequestHead, AMethodOtherThanPostIsAnswered405) {
  HeaderBlock block;
  Rejection rejection;

  EXPECT_EQ(answer_to(request_with(":method", "GET"), block, rejection),
            (Fields{{":status", "405"},
                    {"content-type", "application/grpc"},
                    {"allow", "POST"},
                    {"grpc-status", "13"},
                    {"grpc-message", "a gRPC request is a POST, not a \"GET\""}}));
  EXPECT_FALSE(parse_request_head(request_with(":method", "post")).ok());
  EXPECT_FALSE(parse_request_head(request_without(":method")).ok());
}

TEST(RequestHead, AForeignContentTypeIsAnswered415) {
  HeaderBlock block;
  Rejection rejection;

  EXPECT_EQ(answer_to(request_with("content-type", "text/html"), block, rejection),
            (Fields{{":status", "415"},
                    {"content-type", "application/grpc"},
                    {"grpc-status", "13"},
                    {"grpc-message", "not a gRPC content-type: \"text/html\""}}));
  EXPECT_EQ(parse_request_head(request_without("content-type")).error().http_status, 415);
}

TEST(RequestHead, AnUnknownEncodingIsLeftToTheMessagesThatHaveIt) {
  const auto fields = request_with("grpc-encoding", "gzip");

  const auto head = parse_request_head(fields);

  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->encoding, "gzip");
}

TEST(RequestHead, AMalformedTimeoutIsInternal) {
  for (const char* timeout : {"", "1", "S", "1s", "-1S", "123456789S"}) {
    const auto head = parse_request_head(request_with("grpc-timeout", timeout));

    ASSERT_FALSE(head.ok()) << timeout;
    EXPECT_EQ(head.error().http_status, 200);
    EXPECT_EQ(head.error().status.code(), StatusCode::internal);
  }
}

TEST(RequestHead, WhatIsQuotedInAnAnswerIsCutShort) {
  const std::string path(16'000, '\xff');

  const auto head = parse_request_head(request_with(":path", path));

  ASSERT_FALSE(head.ok());
  EXPECT_LT(head.error().status.message().size(), 200U);
}

TEST(RequestHead, ACopyOfAParserContinuesWithTheHeadersOfEachCall) {
  RequestHeadParser shared;
  const Fields fields = request_with("", "");
  for (const HeaderView& field : fields) {
    shared.add(field);
  }
  RequestHeadParser first = shared;
  RequestHeadParser second = shared;

  first.add({"grpc-timeout", "1S"});
  second.add({"grpc-timeout", "2S"});

  EXPECT_EQ(first.finish()->timeout, 1s);
  EXPECT_EQ(second.finish()->timeout, 2s);
  EXPECT_EQ(shared.finish()->timeout, std::nullopt);
}

TEST(RequestHead, IsWrittenInAFixedOrderWithTheChangingPartLast) {
  const RequestTarget target{.path = "/s/M", .user_agent = "nearcall-cpp/0.1"};
  Metadata metadata;
  ASSERT_TRUE(metadata.add("user", "me").ok());
  ASSERT_TRUE(metadata.add("id-bin", "hi").ok());
  HeaderBlock block;

  append_request_head(block, target);
  append_request_call(block, 1s, metadata);

  EXPECT_EQ(Fields(block.fields().begin(), block.fields().end()),
            (Fields{{":method", "POST"},
                    {":scheme", "http"},
                    {":path", "/s/M"},
                    {":authority", "localhost"},
                    {"te", "trailers"},
                    {"content-type", "application/grpc"},
                    {"user-agent", "nearcall-cpp/0.1"},
                    {"grpc-accept-encoding", "identity"},
                    {"grpc-timeout", "1S"},
                    {"user", "me"},
                    {"id-bin", "aGk"}}));
}

TEST(RequestHead, ATimeoutOfZeroHasPassedWhateverItsUnit) {
  for (const char* const timeout : {"0n", "0S", "00000000H"}) {
    const auto head = parse_request_head(Fields{{":method", "POST"},
                                                {":path", "/s/M"},
                                                {"content-type", "application/grpc"},
                                                {"grpc-timeout", timeout}});

    ASSERT_FALSE(head.ok()) << timeout;
    EXPECT_EQ(head.error().http_status, 200);
    EXPECT_EQ(head.error().status.code(), StatusCode::deadline_exceeded);
  }
}

TEST(RequestHead, WhatIsWrittenIsReadBack) {
  HeaderBlock block;
  Metadata metadata;
  ASSERT_TRUE(metadata.add("user", "me").ok());

  append_request_head(block, {.path = "/s/M"});
  append_request_call(block, std::nullopt, metadata);
  const auto head = parse_request_head(block.fields());
  const auto back = parse_metadata(block.fields(), MetadataLimits());

  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->service, "s");
  EXPECT_EQ(head->method, "M");
  EXPECT_EQ(head->timeout, std::nullopt);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, metadata);
}

}  // namespace
}  // namespace nearcall::inline v0::detail::grpc
