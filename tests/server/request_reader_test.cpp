// SPDX-License-Identifier: Apache-2.0
// RequestReader: a repeated head means what it meant the first time, and nothing else does.
#include "server/request_reader.hpp"

#include "http2/hpack/decoder.hpp"
#include "http2/hpack/encoder.hpp"

#include <google/protobuf/empty.pb.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nearcall::inline v0::detail {
namespace {

using http2::HeaderField;
using http2::Indexing;

class ClockService final : public Service {
 public:
  ClockService()
      : Service("test.Clock",
                {handler({"/test.Clock/Set", MethodKind::unary}),
                 handler({"/test.Clock/Get", MethodKind::unary})}) {}

 private:
  using Empty = google::protobuf::Empty;
  Task<Result<Empty>> Nothing(ServerContext& /*call*/, Empty request) { co_return request; }
  static MethodHandler handler(const Method& method) {
    return unary_handler<ClockService, Empty, Empty, &ClockService::Nothing>(method);
  }
};

/// Requests as they come over one connection: encoded, decoded, read.
class RequestReaderTest : public testing::Test {
 protected:
  RequestReaderTest() { registry_.add(clock_); }

  static std::vector<HeaderField> request_to(std::string_view path) {
    return {{":method", "POST"},         {":scheme", "http"}, {":path", path},
            {":authority", "localhost"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
  }
  Result<ServedRequest*, grpc::Rejection> read(const std::vector<HeaderField>& fields) {
    std::vector<std::byte> block;
    encoder_.encode(fields, block);
    EXPECT_TRUE(decoder_.decode(block, list_));
    return reader_.read(list_);
  }
  /// Until the list has a token: its head is known from then on.
  void repeat(const std::vector<HeaderField>& fields) {
    for (int i = 0; i < 5; ++i) {
      static_cast<void>(!read(fields));
    }
    ASSERT_NE(list_.head_token(), 0U);
  }

  ClockService clock_;
  ServiceRegistry registry_;
  http2::HpackEncoder encoder_;
  http2::HpackDecoder decoder_;
  http2::HeaderList list_;
  RequestReader reader_{registry_, grpc::MetadataLimits()};
};

TEST_F(RequestReaderTest, ARepeatedRequestIsTheSameCall) {
  const auto fields = request_to("/test.Clock/Set");
  repeat(fields);

  for (int i = 0; i < 3; ++i) {
    const auto request = read(fields);

    ASSERT_TRUE(request);
    EXPECT_STREQ((*request)->method.handler->method.path, "/test.Clock/Set");
    EXPECT_EQ((*request)->head.authority, "localhost");
    EXPECT_EQ((*request)->head.service, "test.Clock");
    EXPECT_FALSE((*request)->head.timeout);
    EXPECT_TRUE((*request)->metadata.empty());
  }
}

TEST_F(RequestReaderTest, RepeatedMethodsAreKeptApart) {
  repeat(request_to("/test.Clock/Set"));
  repeat(request_to("/test.Clock/Get"));

  for (const char* path : {"/test.Clock/Set", "/test.Clock/Get", "/test.Clock/Set"}) {
    const auto request = read(request_to(path));

    ASSERT_TRUE(request);
    EXPECT_STREQ((*request)->method.handler->method.path, path);
  }
}

TEST_F(RequestReaderTest, WhatFollowsARepeatedHeadIsReadEachTime) {
  repeat(request_to("/test.Clock/Set"));
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"grpc-timeout", "5S", Indexing::without});
  fields.push_back({"who", "first", Indexing::without});

  const auto first = read(fields);
  ASSERT_TRUE(first);
  EXPECT_EQ((*first)->head.timeout, std::chrono::seconds(5));
  EXPECT_EQ((*first)->metadata.get("who"), "first");

  fields.back().value = "second";
  const auto second = read(fields);
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)->metadata.size(), 1U);
  EXPECT_EQ((*second)->metadata.get("who"), "second");

  const auto plain = read(request_to("/test.Clock/Set"));
  ASSERT_TRUE(plain);
  EXPECT_FALSE((*plain)->head.timeout);
  EXPECT_TRUE((*plain)->metadata.empty());
}

TEST_F(RequestReaderTest, MetadataInARepeatedHeadIsThereEachTime) {
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"who", "always"});
  repeat(fields);

  for (int i = 0; i < 3; ++i) {
    const auto request = read(fields);

    ASSERT_TRUE(request);
    Metadata metadata = std::move((*request)->metadata);  // as a call does
    EXPECT_EQ(metadata.get("who"), "always");
  }
}

TEST_F(RequestReaderTest, AnEncodingInARepeatedHeadIsThereEachTime) {
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"grpc-encoding", "gzip"});
  repeat(fields);

  for (int i = 0; i < 3; ++i) {
    const auto request = read(fields);

    ASSERT_TRUE(request);
    EXPECT_EQ((*request)->head.encoding, "gzip");
  }
}

TEST_F(RequestReaderTest, ARepeatedRequestThatIsRefusedIsRefusedEachTime) {
  const auto unknown = request_to("/test.Clock/Stop");
  auto get = request_to("/test.Clock/Set");
  get.front().value = "GET";
  repeat(unknown);
  repeat(get);

  const auto of_unknown = read(unknown);
  const auto of_get = read(get);

  ASSERT_FALSE(of_unknown);
  EXPECT_EQ(of_unknown.error().status.message(), "unknown method \"/test.Clock/Stop\"");
  ASSERT_FALSE(of_get);
  EXPECT_EQ(of_get.error().http_status, 405);
}

TEST_F(RequestReaderTest, ABadTimeoutBehindARepeatedHeadIsRefused) {
  repeat(request_to("/test.Clock/Set"));
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"grpc-timeout", "soon", Indexing::without});

  const auto request = read(fields);

  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().status.code(), StatusCode::internal);
  EXPECT_TRUE(read(request_to("/test.Clock/Set")));
}

TEST_F(RequestReaderTest, MetadataThatSplitsIntoTooMuchIsRefusedEachTime) {
  const std::string commas(grpc::MetadataLimits().max_entries, ',');
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"a-bin", commas});
  repeat(fields);

  const auto request = read(fields);

  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().http_status, 200);
  EXPECT_EQ(request.error().status.code(), StatusCode::resource_exhausted);
}

TEST_F(RequestReaderTest, AFieldThatMetadataMayNotHoldRefusesTheOneRequest) {
  auto fields = request_to("/test.Clock/Set");
  fields.push_back({"weird!#$%", "v", Indexing::without});

  const auto request = read(fields);

  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().status.code(), StatusCode::internal);
  EXPECT_TRUE(read(request_to("/test.Clock/Set")));
}

TEST_F(RequestReaderTest, AfterATrimRequestsAreReadAsBefore) {
  for (int round = 0; round < 3; ++round) {
    for (const char* const path : {"/test.Clock/Set", "/test.Clock/Get"}) {
      repeat(request_to(path));
      const auto request = read(request_to(path));
      ASSERT_TRUE(request);
      EXPECT_STREQ((*request)->method.handler->method.path, path);
      decoder_.trim();
      list_.trim();
      reader_.trim();
    }
  }
}

TEST_F(RequestReaderTest, ATableThatChangesForgetsWhatItMeant) {
  repeat(request_to("/test.Clock/Set"));
  // Pushes all of it out of the table; the same bytes mean other fields afterwards.
  const std::string filler(3900, 'x');
  static_cast<void>(!read({{"a", filler}}));

  repeat(request_to("/test.Clock/Get"));
  const auto request = read(request_to("/test.Clock/Get"));

  ASSERT_TRUE(request);
  EXPECT_STREQ((*request)->method.handler->method.path, "/test.Clock/Get");
}

}  // namespace
}  // namespace nearcall::inline v0::detail
